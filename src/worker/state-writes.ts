import type { Clock } from '../base/clock.ts'

export interface StateWritesOptions {
  readonly clock: Clock
  /** Ends the trying; what is not written then is seen to by the next start. */
  readonly signal: AbortSignal
  /** Told why the state file cannot be written, and null once everything that waited for it is. */
  readonly onStateChange: (trouble: unknown) => void
}

/** As often as a worker beats. */
const PROBE_MS = 10_000

/**
 * Writes to the worker's state file that must happen: on a full disk they wait until there is space. The write
 * that waits is the probe.
 */
export class StateWrites {
  readonly #options: StateWritesOptions
  #waiting = 0

  constructor(options: StateWritesOptions) {
    this.#options = options
  }

  /** @returns once it is written; false when the worker stopped before */
  async surely(write: () => Promise<unknown>): Promise<boolean> {
    let isWaiting = false
    try {
      for (;;) {
        try {
          await write()
          return true
        } catch (error) {
          if (this.#options.signal.aborted) return false
          if (!isWaiting) this.#startWaiting(error)
          isWaiting = true
        }
        await this.#options.clock.sleep(PROBE_MS, this.#options.signal)
      }
    } catch {
      return false
    } finally {
      if (isWaiting) this.#endWaiting()
    }
  }

  #startWaiting(error: unknown): void {
    this.#waiting += 1
    if (this.#waiting === 1) this.#options.onStateChange(error)
  }

  #endWaiting(): void {
    this.#waiting -= 1
    if (this.#waiting === 0 && !this.#options.signal.aborted) this.#options.onStateChange(null)
  }
}
