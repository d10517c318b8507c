import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { durably } from '../base/durable-steps.ts'
import type { Reservation } from '../protocol/types.ts'
import type { SealerTables } from '../state/tables.ts'

/** Where an account keeps its entries. */
export interface ReservationStore {
  all(): Promise<Reservation[]>
  /** Whole or not at all; replaces entries of the same id. */
  put(reservations: readonly Reservation[]): Promise<void>
  /** Unknown ids are fine. */
  remove(ids: readonly string[]): Promise<void>
  landed(landed: readonly { id: string; onDiskBytes: number }[]): Promise<void>
}

/** The sealer's: durable before a grant is answered. */
export class DurableReservations implements ReservationStore {
  readonly #db: Kysely<SealerTables>
  readonly #clock: Clock

  constructor(db: Kysely<SealerTables>, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  async all(): Promise<Reservation[]> {
    const rows = await this.#db.selectFrom('reservations').selectAll().execute()
    return rows.map((row) => ({
      id: row.id,
      owner: row.owner,
      task: row.task,
      sector: { Miner: row.miner, Number: row.number },
      fileType: row.file_type,
      pathId: row.path_id,
      neededBytes: row.needed_bytes,
      reportedBytes: row.reported_bytes,
      onDiskBytes: row.on_disk_bytes,
    }))
  }

  async put(reservations: readonly Reservation[]): Promise<void> {
    if (reservations.length === 0) return
    const created_at = this.#clock.now()
    const rows = reservations.map((each) => ({
      id: each.id,
      owner: each.owner,
      task: each.task,
      miner: each.sector.Miner,
      number: each.sector.Number,
      file_type: each.fileType,
      path_id: each.pathId,
      needed_bytes: each.neededBytes,
      reported_bytes: each.reportedBytes,
      on_disk_bytes: each.onDiskBytes,
      created_at,
    }))
    const put = this.#db
      .insertInto('reservations')
      .values(rows)
      .onConflict((known) =>
        known.column('id').doUpdateSet((now) => ({
          owner: now.ref('excluded.owner'),
          task: now.ref('excluded.task'),
          needed_bytes: now.ref('excluded.needed_bytes'),
          reported_bytes: now.ref('excluded.reported_bytes'),
          on_disk_bytes: now.ref('excluded.on_disk_bytes'),
        })),
      )
    await durably('space.reserved', () => put.execute())
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const remove = this.#db.deleteFrom('reservations').where('id', 'in', ids)
    await durably('space.released', () => remove.execute())
  }

  async landed(landed: readonly { id: string; onDiskBytes: number }[]): Promise<void> {
    if (landed.length === 0) return
    const update = this.#db.transaction()
    await durably('space.landed', () =>
      update.execute(async (trx) => {
        for (const { id, onDiskBytes } of landed) {
          const row = trx.updateTable('reservations').where('id', '=', id)
          await row.set({ on_disk_bytes: onDiskBytes }).execute()
        }
      }),
    )
  }
}

/** A node's that accounts alone: its grants are durable in its own state, and settled at each start. */
export class RememberedReservations implements ReservationStore {
  readonly #entries = new Map<string, Reservation>()

  async all(): Promise<Reservation[]> {
    return [...this.#entries.values()]
  }

  async put(reservations: readonly Reservation[]): Promise<void> {
    for (const each of reservations) this.#entries.set(each.id, each)
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#entries.delete(id)
  }

  async landed(landed: readonly { id: string; onDiskBytes: number }[]): Promise<void> {
    for (const { id, onDiskBytes } of landed) {
      const known = this.#entries.get(id)
      if (known !== undefined) this.#entries.set(id, { ...known, onDiskBytes })
    }
  }
}
