import type { Clock } from './clock.ts'
import { describeError } from './errors.ts'
import type { Logger } from './log.ts'

/** Stops one part. The signal fires at the deadline: give up what is still open, and return. */
export type Stop = (deadline: AbortSignal) => Promise<void> | void

export interface ShutdownOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Time for all parts together, in milliseconds. */
  readonly deadlineMs: number
}

export interface StopReport {
  /** Parts that stopped, in that order. */
  readonly stopped: readonly string[]
  /** Parts that failed to stop or had not stopped at the deadline. */
  readonly unfinished: readonly string[]
}

/** The reason of a stop that nobody asked for. */
export const START_FAILED = 'the start failed'

/** How long a part may use after the deadline to notice its signal. */
const GRACE_MS = 1000

/**
 * Stops a daemon's parts, the last one started first, within one deadline.
 *
 *     running ──stop(), SIGINT, SIGTERM──► stopping ──all parts done or deadline──► stopped
 *                                             └─ a second signal: the process ends at once (128 + number)
 */
export class Shutdown {
  readonly #options: ShutdownOptions
  readonly #parts: { name: string; stop: Stop }[] = []
  readonly #begun = new AbortController()
  #finished: Promise<StopReport> | null = null

  constructor(options: ShutdownOptions) {
    this.#options = options
  }

  /** Fires when stopping begins: take no new work. */
  get signal(): AbortSignal {
    return this.#begun.signal
  }

  /** Remembers how to stop a part that has just been started. */
  add(name: string, stop: Stop): void {
    this.#parts.push({ name, stop })
  }

  /** Stops on SIGINT and SIGTERM. @returns a function that takes the handlers away again */
  listen(): () => void {
    const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const
    const handle = (signal: 'SIGINT' | 'SIGTERM') => {
      if (this.#finished !== null) {
        this.#options.log.warn('second signal: ending at once', { signal })
        process.exit(exitCodes[signal])
      }
      void this.stop(signal)
    }
    process.on('SIGINT', handle)
    process.on('SIGTERM', handle)
    return () => {
      process.off('SIGINT', handle)
      process.off('SIGTERM', handle)
    }
  }

  /** Stops everything, once: later calls wait for the first. Never rejects. */
  stop(reason: string): Promise<StopReport> {
    this.#finished ??= this.#stopParts(reason)
    return this.#finished
  }

  /** Settles when a stop that somebody asked for is done. */
  async finished(): Promise<StopReport> {
    if (!this.signal.aborted) {
      await new Promise((resolve) => this.signal.addEventListener('abort', resolve, { once: true }))
    }
    return this.stop('finished')
  }

  async #stopParts(reason: string): Promise<StopReport> {
    const { clock, log, deadlineMs } = this.#options
    // Of a start that failed people are told its reason, once, by the error itself.
    const say = reason === START_FAILED ? 'debug' : 'info'
    log[say]('stopping', { reason, deadlineMs })
    this.#begun.abort(new Error(`stopping: ${reason}`))
    const deadline = new AbortController()
    const allStopped = new AbortController()
    const timer = clock.sleep(deadlineMs, allStopped.signal).then(
      () => deadline.abort(new Error(`not stopped within ${deadlineMs} ms`)),
      () => undefined,
    )
    const stopped: string[] = []
    const unfinished: string[] = []
    for (const part of this.#parts.toReversed()) {
      const done = await this.#stopPart(part.name, part.stop, deadline.signal)
      ;(done ? stopped : unfinished).push(part.name)
    }
    allStopped.abort()
    await timer
    log[unfinished.length === 0 ? say : 'info']('stopped', unfinished.length === 0 ? {} : { unfinished })
    return { stopped, unfinished }
  }

  async #stopPart(name: string, stop: Stop, deadline: AbortSignal): Promise<boolean> {
    const { clock, log } = this.#options
    const settled = new AbortController()
    const tooLate = async () => {
      if (!deadline.aborted) {
        await new Promise((resolve) => {
          deadline.addEventListener('abort', resolve, { once: true })
          settled.signal.addEventListener('abort', resolve, { once: true })
        })
      }
      await clock.sleep(GRACE_MS, settled.signal).catch(() => undefined)
      return false
    }
    try {
      const done = await Promise.race([Promise.resolve(stop(deadline)).then(() => true), tooLate()])
      if (!done) log.error('did not stop before the deadline', { part: name })
      return done
    } catch (error) {
      log.error('failed to stop', { part: name, error: describeError(error) })
      return false
    } finally {
      settled.abort()
    }
  }
}
