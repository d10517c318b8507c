import type { Clock } from '../base/clock.ts'
import type { CallId } from '../protocol/types.ts'
import { deferred } from './deferred.ts'
import { type CallSubject, RunningCall } from './running-call.ts'

/** How long a result waits for the answer that names its call. */
const EARLY_RESULT_MS = 5000

/** Calls that workers have taken and not ended, by their IDs; and results that came before their call had one. */
export class RunningCalls {
  readonly #clock: Clock
  readonly #running = new Map<string, RunningCall>()
  readonly #registrations = new Set<() => void>()
  readonly #early = new Set<string>()
  #invoking = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(call: RunningCall): void {
    this.#running.set(call.id.ID, call)
    for (const notify of this.#registrations) notify()
  }

  get(id: string): RunningCall | undefined {
    return this.#running.get(id)
  }

  /** The call that does a piece of work. */
  of(key: string): RunningCall | null {
    return this.list().find((call) => call.subject.work?.key === key) ?? null
  }

  remove(id: string): void {
    this.#running.delete(id)
  }

  list(): RunningCall[] {
    return [...this.#running.values()]
  }

  /** IDs of calls whose result came before their name. */
  early(): string[] {
    return [...this.#early]
  }

  /**
   * Asks a worker to take a call; as long as anybody does, a result without a call may still find one.
   * @throws what `invoke` throws
   */
  async begin(invoke: () => Promise<CallId>, subject: CallSubject): Promise<RunningCall> {
    this.#invoking++
    try {
      const call = new RunningCall(await invoke(), subject, this.#clock.now())
      this.add(call)
      return call
    } finally {
      this.#invoking--
    }
  }

  /** The call of a result, which a worker may have ready before its answer to the call has come to us. */
  async whenNamed(id: string): Promise<RunningCall | null> {
    const tooLate = new AbortController()
    this.#early.add(id)
    const timer = this.#clock.sleep(EARLY_RESULT_MS, tooLate.signal).then(
      () => null,
      () => null,
    )
    try {
      while (this.#invoking > 0) {
        const registration = deferred<'registered'>()
        const notify = () => registration.resolve('registered')
        this.#registrations.add(notify)
        const woken = await Promise.race([registration.promise, timer])
        this.#registrations.delete(notify)
        const call = this.#running.get(id)
        if (call !== undefined) return call
        if (woken === null) return null
      }
      return this.#running.get(id) ?? null
    } finally {
      tooLate.abort()
      this.#early.delete(id)
    }
  }
}
