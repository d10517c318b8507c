import { describeError } from '../base/errors.ts'
import type { CallId } from '../protocol/types.ts'
import type { SectorId } from '../sectors/sector-id.ts'
import { deferred } from './deferred.ts'
import type { TrackedWork } from './work-key.ts'
import type { Outcome } from './work-rows.ts'

/** What a call is made for. */
export interface CallSubject {
  readonly sector: SectorId
  readonly task: string
  /** Session of the worker. */
  readonly worker: string
  /** Null: a simple call, forgotten with the process. */
  readonly work: TrackedWork | null
}

/** A call that a worker has taken; it ends once, however often its result is handed in. */
export class RunningCall {
  readonly id: CallId
  readonly subject: CallSubject
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Whether somebody in this process waits for it. */
  awaited = false
  readonly #outcome = deferred<Outcome>()
  #ending: Promise<void> | null = null

  constructor(id: CallId, subject: CallSubject, startedAt: number) {
    this.id = id
    this.subject = subject
    this.startedAt = startedAt
    // Who asks may come much later, or after a restart never.
    this.#outcome.promise.catch(() => undefined)
  }

  /** @throws SchedulerError ABORTED, STOPPED */
  ended(): Promise<Outcome> {
    this.awaited = true
    return this.#outcome.promise
  }

  /** @param keep makes the outcome durable; when that fails the result was not accepted and may come again */
  async end(outcome: Outcome, keep: () => Promise<void>): Promise<void> {
    this.#ending ??= keep().then(
      () => this.#outcome.resolve(outcome),
      (error: unknown) => {
        this.#ending = null
        throw error
      },
    )
    await this.#ending
  }

  /** Nobody needs the result any more. */
  fail(error: Error): void {
    this.#outcome.reject(error)
  }
}

/** The worker did not take the work: nothing has begun, another may be asked. */
export class CallRefused extends Error {
  constructor(cause: unknown) {
    super(describeError(cause), { cause })
  }
}
