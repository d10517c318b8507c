/** The middle of some rounds, and how far they lie apart. */
export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** @param values at least one */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  }
}

/** The least value that `percent` of all do not exceed. @param values at least one */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

/**
 * A ratio for each round, so that a disk that slows down slows both sides of it; then their middle.
 * @returns null when a round has no divisor: too short to be measured
 */
export function summarizeRatios(over: readonly number[], under: readonly number[]): Summary | null {
  const ratios = over.map((value, round) => value / (under[round] ?? Number.NaN))
  return ratios.every(Number.isFinite) ? summarize(ratios) : null
}
