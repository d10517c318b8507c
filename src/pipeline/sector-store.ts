import type { Kysely, Selectable, Transaction } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { durably, passing } from '../base/durable-steps.ts'
import type { SectorId } from '../sectors/sector-id.ts'
import type { SealerTables, SectorEventRow } from '../state/tables.ts'
import { pipelineError } from './errors.ts'
import {
  type NewSector,
  newRecord,
  recordOf,
  rowOf,
  type SectorFields,
  type SectorRecord,
} from './sector-record.ts'
import type { SectorState } from './sector-state.ts'

/** One line of a sector's log. */
export interface SectorEvent {
  /** A task code, or `chain`, `state`, `error`. */
  readonly kind: string
  readonly message: string
  readonly trace?: string
}

/** What happens to a sector at once: fields, state and log line are written together or not at all. */
export interface SectorChange {
  /** The same state when absent. */
  readonly to?: SectorState
  readonly set?: SectorFields
  readonly event: SectorEvent
}

/**
 * Lines of a sector's log that are kept; lotus stops at some thousands too. A sector that fails once a minute writes
 * 86 000 in a month.
 */
const MOST_LINES = 2000
const FIRST_LINES = 500
const LINES_LEFT_OUT = 500

/** What a sector's log comes to. */
export interface SectorHistory {
  readonly events: number
  readonly firstAt: number
  /** When it was Proving for the first time. */
  readonly provingAt: number | null
}

/** How the entry ends that made a sector Proving. */
const PROVING = ' → Proving'

type Listener = (record: SectorRecord) => void

/**
 * Sectors of one miner in the sealer's state. The only writer of their rows; nothing of them is kept in
 * memory.
 */
export class SectorStore {
  readonly #db: Kysely<SealerTables>
  readonly #miner: number
  readonly #clock: Clock
  readonly #listeners = new Set<Listener>()

  constructor(db: Kysely<SealerTables>, miner: number, clock: Clock) {
    this.#db = db
    this.#miner = miner
    this.#clock = clock
  }

  /**
   * Gives a new sector its number and writes it.
   * @param above its number is above this one, and above those of all sectors there ever were
   */
  async create(
    sector: Omit<NewSector, 'id' | 'at'>,
    above: number,
    event: SectorEvent,
  ): Promise<SectorRecord> {
    const create = this.#db.transaction()
    const insert = async (trx: Transaction<SealerTables>) => {
      const last = await trx
        .selectFrom('sectors')
        .select((eb) => eb.fn.max('number').as('number'))
        .where('miner', '=', this.#miner)
        .executeTakeFirst()
      const number = Math.max(last?.number ?? 0, above) + 1
      const record = newRecord({
        ...sector,
        id: { Miner: this.#miner, Number: number },
        at: this.#clock.now(),
      })
      await trx.insertInto('sectors').values(rowOf(record)).execute()
      await this.#log(trx, record.id, event)
      return record
    }
    return durably('sector.created', () => create.execute(insert))
  }

  async find(number: number): Promise<SectorRecord | null> {
    const row = await this.#select(this.#db).where('number', '=', number).executeTakeFirst()
    return row === undefined ? null : recordOf(row)
  }

  /** @throws PipelineError SECTOR_UNKNOWN */
  async get(number: number): Promise<SectorRecord> {
    const record = await this.find(number)
    if (record === null) throw unknownSector(number)
    return record
  }

  /** All of them, by number. */
  async list(): Promise<SectorRecord[]> {
    const rows = await this.#select(this.#db).orderBy('number').execute()
    return rows.map(recordOf)
  }

  /** Numbers of the sectors of which `isProofAwaited` holds. */
  async awaitingProof(): Promise<number[]> {
    const rows = await this.#db
      .selectFrom('sectors')
      .select('number')
      .where('miner', '=', this.#miner)
      .where('state', '=', 'Proving')
      .where('proof', 'is', null)
      .where('commit1_file', 'is not', null)
      .orderBy('number')
      .execute()
    return rows.map((row) => row.number)
  }

  async numbers(): Promise<number[]> {
    const rows = await this.#db
      .selectFrom('sectors')
      .select('number')
      .where('miner', '=', this.#miner)
      .orderBy('number')
      .execute()
    return rows.map((row) => row.number)
  }

  /** State → how many sectors are in it. */
  async summary(): Promise<Record<string, number>> {
    const rows = await this.#db
      .selectFrom('sectors')
      .select((eb) => ['state', eb.fn.countAll<number>().as('sectors')])
      .where('miner', '=', this.#miner)
      .groupBy('state')
      .execute()
    return Object.fromEntries(rows.map((row) => [row.state, row.sectors]))
  }

  /** What each sector's log comes to, by number; times in milliseconds since 1970. */
  async histories(): Promise<Map<number, SectorHistory>> {
    const rows = await this.#db
      .selectFrom('sector_events')
      .select((eb) => [
        'number',
        eb.fn.countAll<number>().as('events'),
        eb.fn.min<number>('at').as('firstAt'),
        eb.fn
          .min<number | null>(eb.case().when('message', 'like', `%${PROVING}`).then(eb.ref('at')).end())
          .as('provingAt'),
      ])
      .where('miner', '=', this.#miner)
      .groupBy('number')
      .execute()
    return new Map(rows.map(({ number, ...history }) => [number, history]))
  }

  events(number: number): Promise<Selectable<SectorEventRow>[]> {
    return this.#db
      .selectFrom('sector_events')
      .selectAll()
      .where('miner', '=', this.#miner)
      .where('number', '=', number)
      .orderBy('id')
      .execute()
  }

  /**
   * Changes a sector, durably, by what it is at that moment.
   * @param decide answers null to leave it as it is; it may be told by a throw that the change is not allowed
   * @returns the sector as it now is
   * @throws PipelineError SECTOR_UNKNOWN
   */
  async change(number: number, decide: (record: SectorRecord) => SectorChange | null): Promise<SectorRecord> {
    const [record, changed] = await this.#db.transaction().execute(async (trx) => {
      const row = await this.#select(trx).where('number', '=', number).executeTakeFirst()
      if (row === undefined) throw unknownSector(number)
      const before = recordOf(row)
      const change = decide(before)
      if (change === null) return [before, false] as const
      const state = change.to ?? before.state
      const after = { ...before, ...change.set, state, updatedAt: this.#clock.now() }
      await trx
        .updateTable('sectors')
        .set(rowOf(after))
        .where('miner', '=', this.#miner)
        .where('number', '=', number)
        .execute()
      await this.#log(trx, after.id, withState(change.event, before.state, state))
      passing('before', 'sector.saved', state)
      return [after, true] as const
    })
    if (changed) passing('after', 'sector.saved', record.state)
    if (changed) for (const listener of [...this.#listeners]) listener(record)
    return record
  }

  /** Calls back after every change. @returns how to stop that */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Comes back with the sector as soon as it is what is waited for. */
  async until(
    number: number,
    is: (record: SectorRecord) => boolean,
    signal: AbortSignal,
  ): Promise<SectorRecord> {
    let forget: () => void = () => undefined
    const heard = new Promise<SectorRecord>((resolve, reject) => {
      const listener = (record: SectorRecord) => {
        if (record.id.Number === number && is(record)) resolve(record)
      }
      const giveUp = () => reject(signal.reason)
      this.#listeners.add(listener)
      signal.addEventListener('abort', giveUp, { once: true })
      forget = () => {
        this.#listeners.delete(listener)
        signal.removeEventListener('abort', giveUp)
      }
    })
    // The signal may fire while the sector is looked up, when nobody awaits it yet.
    heard.catch(() => undefined)
    try {
      signal.throwIfAborted()
      const now = await this.get(number)
      return is(now) ? now : await heard
    } finally {
      forget()
    }
  }

  #select(db: Kysely<SealerTables> | Transaction<SealerTables>) {
    return db.selectFrom('sectors').selectAll().where('miner', '=', this.#miner)
  }

  async #log(trx: Transaction<SealerTables>, sector: SectorId, event: SectorEvent): Promise<void> {
    await trx
      .insertInto('sector_events')
      .values({
        miner: sector.Miner,
        number: sector.Number,
        at: this.#clock.now(),
        kind: event.kind,
        message: event.message,
        trace: event.trace ?? '',
      })
      .execute()
    await this.#shorten(trx, sector)
  }

  /** What was first says how a sector began, what is newest what it is at: the lines between them go. */
  async #shorten(trx: Transaction<SealerTables>, sector: SectorId): Promise<void> {
    const lines = trx
      .selectFrom('sector_events')
      .where('miner', '=', sector.Miner)
      .where('number', '=', sector.Number)
    const { count } = await lines
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    if (count <= MOST_LINES) return
    const ids = await lines.select('id').orderBy('id').offset(FIRST_LINES).limit(LINES_LEFT_OUT).execute()
    const [mark, ...rest] = ids.map(({ id }) => id)
    if (mark === undefined) return
    const words = { kind: 'state', message: 'lines of the log were left out here', trace: '' }
    await trx.updateTable('sector_events').set(words).where('id', '=', mark).execute()
    await trx.deleteFrom('sector_events').where('id', 'in', rest).execute()
  }
}

function withState(event: SectorEvent, from: SectorState, to: SectorState): SectorEvent {
  return from === to ? event : { ...event, message: `${event.message}; ${from} → ${to}` }
}

function unknownSector(number: number) {
  return pipelineError({
    code: 'SECTOR_UNKNOWN',
    message: `there is no sector ${number}; 'sectors list' shows those there are`,
  })
}
