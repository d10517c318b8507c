import type { Clock } from '../base/clock.ts'
import { SchedulerError } from './errors.ts'

/** @throws SchedulerError NO_ANSWER when the promise has not settled in time; it is not waited for any longer */
export async function within<T>(promise: Promise<T>, ms: number, clock: Clock, who: string): Promise<T> {
  const settled = new AbortController()
  const tooLate = async (): Promise<never> => {
    await clock.sleep(ms, settled.signal)
    throw new SchedulerError({
      code: 'NO_ANSWER',
      level: 'temporary',
      message: `${who} did not answer within ${ms / 1000} s`,
    })
  }
  const timer = tooLate()
  // The loser of the race has nobody to hear it.
  timer.catch(() => undefined)
  promise.catch(() => undefined)
  try {
    return await Promise.race([promise, timer])
  } finally {
    settled.abort()
  }
}
