import { describeError, errorCode } from '../base/errors.ts'
import { ConnectionError } from '../protocol/errors.ts'
import { type Job, LOST_ANSWER_MS } from './job.ts'
import type { CallRefused } from './running-call.ts'

/** A worker that would not take a task is not asked for it again in this time. */
const REFUSAL_MS = 10_000
/** After so many refusals the caller hears of it. */
export const MOST_REFUSALS = 3

/**
 * A worker has not taken a job: for a while it is not asked again. What a call did whose answer was lost is not known.
 * The same worker joins what it has begun; another would do it twice, and after AP there would be two unsealed copies,
 * one of which gets the next piece.
 * @param nowMs monotonic
 */
export function noteRefusal(job: Job, worker: string, error: CallRefused, nowMs: number): void {
  job.refusals.set(worker, { reason: describeError(error), untilMs: nowMs + REFUSAL_MS })
  if (mayHaveBegun(error.cause)) {
    job.perhapsOn = { worker, untilMs: nowMs + LOST_ANSWER_MS, awayUntilMs: nowMs }
  }
}

/** Whether a worker may have taken a call though its answer did not come; one that nobody heard it has not. */
function mayHaveBegun(failure: unknown): boolean {
  if (!(failure instanceof ConnectionError) || failure.code === 'UNAVAILABLE') return false
  return errorCode(failure.cause) !== 'ECONNREFUSED'
}
