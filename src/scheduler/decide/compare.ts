import type { Candidate } from './snapshot.ts'

/**
 * The built-in `compare`: network bytes, then bytes copied (by the holder itself before by another process on its
 * machine), then time until free; where all these are equal, the worker that is used less, then the one that was given fewer such tasks, then the older window.
 * @returns negative when `a` comes first
 */
export function compare(a: Candidate, b: Candidate): number {
  return (
    a.costs.networkBytes - b.costs.networkBytes ||
    a.costs.copiedBytes - b.costs.copiedBytes ||
    a.fetchedFiles - b.fetchedFiles ||
    a.costs.secondsUntilFree - b.costs.secondsUntilFree ||
    a.utilization - b.utilization ||
    a.given - b.given ||
    a.window - b.window
  )
}
