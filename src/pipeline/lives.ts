import { KeyedLock } from '../storage/keyed-lock.ts'
import { stopped } from './errors.ts'
import type { SectorRecord } from './sector-record.ts'
import type { SectorChange, SectorStore } from './sector-store.ts'
import { SectorLife, type SectorLifeOptions } from './states.ts'

interface Running {
  readonly stop: AbortController
  readonly ended: Promise<void>
  /** Started again while it ran: it may have looked at its state before that changed. */
  again: boolean
}

/** The sectors that are on their way, each with at most one life at a time. */
export class Lives {
  readonly #options: SectorLifeOptions
  readonly #store: SectorStore
  readonly #running = new Map<number, Running>()
  /** Sectors whose state somebody is about to change by force. */
  readonly #held = new Set<number>()
  readonly #holds = new KeyedLock()
  #closed = false

  constructor(options: SectorLifeOptions) {
    this.#options = options
    this.#store = options.tools.store
  }

  /** Lets a sector go on from the state it is in; one that is on its way already just does. */
  start(number: number): void {
    if (this.#closed || this.#held.has(number)) return
    const running = this.#running.get(number)
    if (running === undefined) this.#begin(number)
    else running.again = true
  }

  /**
   * Stops what a sector is at, changes it, and lets it go on from there.
   * @param decide as for SectorStore.change; when it throws, the sector goes on as it was
   */
  interrupt(
    number: number,
    reason: Error,
    decide: (record: SectorRecord) => SectorChange | null,
  ): Promise<SectorRecord> {
    return this.#holds.run(String(number), async () => {
      this.#held.add(number)
      try {
        const running = this.#running.get(number)
        running?.stop.abort(reason)
        await running?.ended
        return await this.#store.change(number, decide)
      } finally {
        this.#held.delete(number)
        this.start(number)
      }
    })
  }

  /** Stops all of them where they are; comes back when each has put down what it held. */
  async close(): Promise<void> {
    this.#closed = true
    const lives = [...this.#running.values()]
    for (const life of lives) life.stop.abort(stopped())
    await Promise.all(lives.map((life) => life.ended))
  }

  #begin(number: number): void {
    const stop = new AbortController()
    const ended = new SectorLife(number, this.#options).run(stop.signal).then(() => {
      this.#running.delete(number)
      if (running.again) this.start(number)
    })
    const running: Running = { stop, ended, again: false }
    this.#running.set(number, running)
  }
}
