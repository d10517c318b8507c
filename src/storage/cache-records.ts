import type { Kysely } from 'kysely'
import { bootId } from '../base/boot-id.ts'
import type { Clock } from '../base/clock.ts'
import { durably } from '../base/durable-steps.ts'
import type { SectorId } from '../sectors/sector-id.ts'
import type { WorkerTables } from '../state/tables.ts'

/** How far a cache directory has come; `…-started` means that a task may have broken off in it. */
export type RecordedPhase = 'pc1-started' | 'pc1' | 'pc2-started' | 'pc2' | 'finalized'

/** What a cache directory was made from. The proofs library trusts names and lengths; this is what we trust. */
export interface CacheRecord {
  /** Base64, as on the wire; empty when the cache came from elsewhere. */
  readonly ticket: string
  /** The pieces in order, `cid:size`; empty when the cache came from elsewhere. */
  readonly pieces: readonly string[]
  readonly phase: RecordedPhase
}

/** Durable records of the cache directories on this node, by (sector, path). */
export class CacheRecords {
  readonly #db: Kysely<WorkerTables>
  readonly #clock: Clock
  readonly #boot: string

  /** @param boot which start of the machine this is */
  constructor(db: Kysely<WorkerTables>, clock: Clock, boot = bootId()) {
    this.#db = db
    this.#clock = clock
    this.#boot = boot
  }

  async get(sector: SectorId, pathId: string): Promise<CacheRecord | null> {
    const row = await this.#db
      .selectFrom('cache_records')
      .select(['ticket', 'pieces', 'phase'])
      .where('miner', '=', sector.Miner)
      .where('number', '=', sector.Number)
      .where('path_id', '=', pathId)
      .executeTakeFirst()
    if (row === undefined) return null
    return {
      ticket: row.ticket,
      pieces: JSON.parse(row.pieces) as string[],
      phase: row.phase as RecordedPhase,
    }
  }

  /**
   * Whether the machine has run ever since a record was put. If not, what was written after it and never synced may
   * be lost: whole by its length, with nothing in it.
   */
  async isOfThisBoot(sector: SectorId, pathId: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('cache_records')
      .select('boot')
      .where('miner', '=', sector.Miner)
      .where('number', '=', sector.Number)
      .where('path_id', '=', pathId)
      .executeTakeFirst()
    return row !== undefined && row.boot !== '' && row.boot === this.#boot
  }

  /** Durable when it returns: call it before the files change. */
  async put(sector: SectorId, pathId: string, record: CacheRecord): Promise<void> {
    const updated_at = this.#clock.now()
    const values = {
      ticket: record.ticket,
      pieces: JSON.stringify(record.pieces),
      phase: record.phase,
      boot: this.#boot,
      updated_at,
    }
    const put = this.#db
      .insertInto('cache_records')
      .values({ miner: sector.Miner, number: sector.Number, path_id: pathId, ...values })
      .onConflict((same) => same.columns(['miner', 'number', 'path_id']).doUpdateSet(values))
    await durably('cache.recorded', () => put.execute(), record.phase)
  }

  async setPhase(sector: SectorId, pathId: string, phase: RecordedPhase): Promise<void> {
    const known = await this.get(sector, pathId)
    await this.put(sector, pathId, { ticket: known?.ticket ?? '', pieces: known?.pieces ?? [], phase })
  }

  async remove(sector: SectorId, pathId: string): Promise<void> {
    const remove = this.#db
      .deleteFrom('cache_records')
      .where('miner', '=', sector.Miner)
      .where('number', '=', sector.Number)
      .where('path_id', '=', pathId)
    await durably('cache.record-removed', () => remove.execute())
  }

  /** The directory moved to another path of this node: what is known of it goes along. */
  async move(sector: SectorId, fromId: string, toId: string): Promise<void> {
    const known = await this.get(sector, fromId)
    if (known === null) return
    await this.put(sector, toId, known)
    await this.remove(sector, fromId)
  }
}
