import { say } from './say.ts'

/** npm passes on a Ctrl-C that the terminal has given to all of us: so soon after the first it is the same one. */
const SAME_INTERRUPT_MS = 500

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Who wants the tour to end, and how much.
 *
 *     running ──Ctrl-C, SIGTERM, a closed terminal──► stopping ──again──► killing
 *
 * The daemons do not share the tour's process group: a tour that just died would leave them running.
 */
export class Interrupts {
  readonly #stop = new AbortController()
  readonly #kill = new AbortController()
  #stoppedAt = 0

  /** Takes over the signals of this process. */
  static listen(): Interrupts {
    const interrupts = new Interrupts()
    for (const name of SIGNALS) process.on(name, () => interrupts.interrupt(name, performance.now()))
    // Nobody reads any more (`npm start | head`, a terminal that went): nothing is left to show.
    for (const stream of [process.stdout, process.stderr]) {
      stream.on('error', () => interrupts.stopSilently('nobody reads its output'))
    }
    return interrupts
  }

  /** Aborts when the tour is to stop its daemons and end. */
  get stopping(): AbortSignal {
    return this.#stop.signal
  }

  /** Aborts when the daemons get no more time. */
  get killing(): AbortSignal {
    return this.#kill.signal
  }

  /** Resolves when the tour is to stop. */
  async interrupted(): Promise<'interrupted'> {
    if (!this.stopping.aborted) {
      await new Promise((resolve) => this.stopping.addEventListener('abort', resolve, { once: true }))
    }
    return 'interrupted'
  }

  /** @param nowMs of a clock that does not go back */
  interrupt(name: string, nowMs: number): void {
    if (!this.stopping.aborted) {
      this.#stoppedAt = nowMs
      say('stopping the daemons; tasks that run may take up to 20 s to end; again kills them')
      this.stopSilently(`ended by ${name}`)
    } else if (nowMs - this.#stoppedAt >= SAME_INTERRUPT_MS && !this.killing.aborted) {
      say('killing the daemons; what they were at is recovered when they start again')
      this.#kill.abort(new Error(`killed by ${name}`))
    }
  }

  stopSilently(why: string): void {
    if (!this.stopping.aborted) this.#stop.abort(new Error(why))
  }
}
