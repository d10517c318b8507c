/** How fast each node has given files to this one, in bytes per second: the latest measurement counts. */
export class HolderSpeeds {
  readonly #byHost = new Map<string, number>()

  note(host: string, bytesPerSecond: number): void {
    this.#byHost.set(host, bytesPerSecond)
  }

  /** What a node may be expected to give: what it gave last, else the median of the others. @returns null: no idea */
  expected(host: string, besides: string): number | null {
    const own = this.#byHost.get(host)
    if (own !== undefined) return own
    const others = [...this.#byHost].filter(([each]) => each !== besides).map(([, speed]) => speed)
    others.sort((a, b) => a - b)
    return others[Math.floor((others.length - 1) / 2)] ?? null
  }
}

/**
 * The other holder must be expected to be done in half the time that this one still needs: disks and networks vary by
 * a factor of two within an hour, and what was received so far is given up.
 */
const MUCH_SOONER = 2

export interface HolderSoFar {
  /** Measured over the last window, without the time in which we did not want to receive. */
  readonly bytesPerSecond: number
  readonly leftBytes: number
  /** What another holder would have to give: all of it. */
  readonly totalBytes: number
  /** What each other holder not yet tried in this round may be expected to give; null: no idea. */
  readonly others: readonly (number | null)[]
}

/** Whether a slow holder is left for a better one. Nobody is left for a node that nothing is known of. */
export function isWorthLeaving({ bytesPerSecond, leftBytes, totalBytes, others }: HolderSoFar): boolean {
  const best = Math.max(0, ...others.map((each) => each ?? 0))
  if (best === 0) return false
  // As products: a holder that gave nothing at all in the window needs for ever.
  return leftBytes * best > MUCH_SOONER * totalBytes * bytesPerSecond
}
