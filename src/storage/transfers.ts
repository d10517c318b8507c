import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Tier, Transfer } from '../protocol/types.ts'
import type { SectorId } from '../sectors/sector-id.ts'

/** How many ended transfers are remembered. */
const REMEMBERED = 200

export interface TransferStart {
  readonly id: string
  readonly sector: SectorId
  readonly fileType: number
  readonly from: string
  readonly to: string
  readonly method: Tier
  readonly totalBytes: number
}

interface RunningTransfer {
  readonly start: TransferStart
  readonly startedAt: number
  readonly startedMs: number
  readonly progress: () => { bytes: number; total: number | null }
}

/** Transfers of this node: those that run, with progress read when asked, and the latest that ended. */
export class Transfers {
  readonly #clock: Clock
  readonly #running = new Map<string, RunningTransfer>()
  readonly #ended: Transfer[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Follows one transfer to its end. `run` answers how it really went. */
  async follow<T extends { method: Tier; bytes: number }>(
    start: TransferStart,
    progress: () => { bytes: number; total: number | null },
    run: () => Promise<T>,
  ): Promise<T> {
    const entry = { start, progress, startedAt: this.#clock.now(), startedMs: this.#clock.monotonicMs() }
    this.#running.set(start.id, entry)
    try {
      const result = await run()
      this.#end(entry, {
        state: 'done',
        method: result.method,
        bytes: result.bytes,
        totalBytes: result.bytes,
        error: null,
      })
      return result
    } catch (cause) {
      const { bytes } = progress()
      this.#end(entry, {
        state: 'failed',
        method: start.method,
        bytes,
        totalBytes: start.totalBytes,
        error: describeError(cause),
      })
      throw cause
    }
  }

  list(): Transfer[] {
    const running = [...this.#running.values()].map((entry) => {
      const { bytes, total } = entry.progress()
      const totalBytes = total ?? entry.start.totalBytes
      return this.#row(entry, {
        state: 'running',
        method: entry.start.method,
        bytes,
        totalBytes,
        error: null,
      })
    })
    return [...running, ...this.#ended]
  }

  #end(
    entry: RunningTransfer,
    outcome: Pick<Transfer, 'state' | 'method' | 'bytes' | 'totalBytes' | 'error'>,
  ): void {
    this.#running.delete(entry.start.id)
    this.#ended.unshift(this.#row(entry, outcome))
    this.#ended.length = Math.min(this.#ended.length, REMEMBERED)
  }

  #row(
    entry: RunningTransfer,
    outcome: Pick<Transfer, 'state' | 'method' | 'bytes' | 'totalBytes' | 'error'>,
  ): Transfer {
    const { id, sector, fileType, from, to } = entry.start
    return {
      id,
      sector,
      fileType,
      from,
      to,
      ...outcome,
      startedAt: new Date(entry.startedAt).toISOString(),
      seconds: (this.#clock.monotonicMs() - entry.startedMs) / 1000,
    }
  }
}
