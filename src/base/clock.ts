import { performance } from 'node:perf_hooks'

/** Time as the program sees it; tests and the simulator bring their own. */
export interface Clock {
  /** Milliseconds since 1970; for records and display, it may jump. */
  now(): number
  /** Milliseconds since some start; for measuring, it never goes back. */
  monotonicMs(): number
  /** Waits; rejects with the signal's reason when that fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The machine's time. A sleep keeps the process up until it ends or its signal fires. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const end = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', end)
        resolve()
      }, longestTimer(ms))
      signal?.addEventListener('abort', end, { once: true })
    }),
}

/** setTimeout turns anything above 2^31 − 1 into 1 ms; 24.8 days is long enough for any wait here. */
function longestTimer(ms: number): number {
  return Math.min(Math.max(ms, 0), 2 ** 31 - 1)
}

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** A clock that stands still until told: for tables of decisions and for virtual time. */
export class FakeClock implements Clock {
  #elapsedMs = 0
  readonly #epochMs: number
  #sleepers: Sleeper[] = []

  /** @param epochMs what `now()` says at the start */
  constructor(epochMs = Date.UTC(2026, 0, 1)) {
    this.#epochMs = epochMs
  }

  now(): number {
    return this.#epochMs + this.#elapsedMs
  }

  monotonicMs(): number {
    return this.#elapsedMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      if (ms <= 0) return resolve()
      const end = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        reject(signal?.reason)
      }
      const wake = () => {
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const sleeper = { at: this.#elapsedMs + ms, wake }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', end, { once: true })
    })
  }

  /** How many sleeps have not ended. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  /** Lets time pass: sleepers wake in order, and what they start in that time wakes as well. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms
    for (;;) {
      await settle()
      const next = this.#sleepers.reduce<Sleeper | null>(
        (first, each) => (each.at <= until && (first === null || each.at < first.at) ? each : first),
        null,
      )
      if (next === null) break
      this.#elapsedMs = next.at
      this.#sleepers = this.#sleepers.filter((other) => other !== next)
      next.wake()
    }
    this.#elapsedMs = until
    await settle()
  }
}

/** Lets promise reactions that are due run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
