import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { takeUpCommit2 } from './commit2-calls.ts'
import type { Lives } from './lives.ts'
import { isProofAwaited, refOf } from './sector-record.ts'
import type { StepTools } from './step.ts'

/** How often to look for a worker: what is at stake, the pre-commit's deposit, expires in days. */
const LOOK_AGAIN_MS = 300_000

export interface DeferredCommit2Options {
  readonly tools: StepTools
  readonly lives: Lives
  readonly clock: Clock
  readonly log: Logger
  /** Ends the looking. */
  readonly signal: AbortSignal
}

/**
 * Takes deferred C2s up once a worker can run them: the only one may just have been away, and no operator may look.
 *
 *     asleep ──a sector rests without its proof──► looking ──none is left──► asleep
 *                                                     └─ each 5 min: a worker can → Committing
 */
export class DeferredCommit2 {
  readonly #options: DeferredCommit2Options
  #wanted = false
  #looking: Promise<void> | null = null

  constructor(options: DeferredCommit2Options) {
    this.#options = options
    const { store } = options.tools
    const forget = store.onChange((record) => {
      if (isProofAwaited(record)) this.look()
    })
    options.signal.addEventListener('abort', forget, { once: true })
  }

  /** Looks from now on, until no sector rests without its proof. */
  look(): void {
    this.#wanted = true
    this.#looking ??= this.#look()
  }

  /** Comes back when nothing is looked at any more; the signal has fired. */
  async ended(): Promise<void> {
    await this.#looking
  }

  async #look(): Promise<void> {
    const { clock, log, signal, tools } = this.#options
    while (this.#wanted) {
      this.#wanted = false
      try {
        await clock.sleep(LOOK_AGAIN_MS, signal)
        const numbers = await tools.store.awaitingProof()
        this.#wanted = numbers.length > 0
        for (const number of numbers) await this.#takeUp(number)
      } catch (error) {
        if (signal.aborted) break
        log.error('deferred C2s could not be looked at; they are again', { error: describeError(error) })
        this.#wanted = true
      }
    }
    this.#looking = null
  }

  async #takeUp(number: number): Promise<void> {
    const { lives, log, signal, tools } = this.#options
    signal.throwIfAborted()
    const record = await tools.store.get(number)
    // Asked first: to see whether C1's output is whole, all of it is read.
    if (!(await tools.tasks.canCommit2(refOf(record)))) return
    try {
      await takeUpCommit2(number, tools, lives)
      log.info('a deferred C2 is taken up: a worker can run it now', { sector: number })
    } catch (error) {
      log.warn('a deferred C2 cannot be taken up', { sector: number, error: describeError(error) })
    }
  }
}
