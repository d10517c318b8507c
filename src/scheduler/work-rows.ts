import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { durably } from '../base/durable-steps.ts'
import type { CallError } from '../protocol/types.ts'
import type { SectorId } from '../sectors/sector-id.ts'
import type { ScheduledWorkRow, SealerTables } from '../state/tables.ts'
import type { TrackedWork } from './work-key.ts'

/** How a call ended. */
export interface Outcome {
  /** Null where the method returns nothing, or failed. */
  readonly value: unknown
  readonly error: CallError
}

/** A row without its result, which may have 50 MB. */
export type WorkRow = Omit<ScheduledWorkRow, 'result' | 'error' | 'params'>

const COLUMNS = [
  'key',
  'miner',
  'number',
  'method',
  'call_id',
  'worker',
  'state',
  'created_at',
  'updated_at',
] as const

/** The table `scheduled_work`: what a restarted sealer finds its running calls by. */
export class WorkRows {
  readonly #db: Kysely<SealerTables>
  readonly #clock: Clock

  constructor(db: Kysely<SealerTables>, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  load(): Promise<WorkRow[]> {
    return this.#db.selectFrom('scheduled_work').select(COLUMNS).orderBy('created_at').execute()
  }

  /** @param worker session of the one that is about to be asked */
  async started(work: TrackedWork, worker: string): Promise<void> {
    const at = this.#clock.now()
    const row = {
      key: work.key,
      miner: work.sector.Miner,
      number: work.sector.Number,
      method: work.method,
      params: work.params,
      call_id: null,
      worker,
      state: 'started' as const,
      result: null,
      error: null,
      created_at: at,
      updated_at: at,
    }
    const put = this.#db.replaceInto('scheduled_work').values(row)
    await durably('work.started', () => put.execute(), work.method)
  }

  /** A result may have been faster than the answer that names the call: then the row stays done. */
  async running({ key, method }: TrackedWork, callId: string, worker: string): Promise<void> {
    const update = this.#db
      .updateTable('scheduled_work')
      .set({ state: 'running', call_id: callId, worker, updated_at: this.#clock.now() })
      .where('key', '=', key)
      .where('state', '=', 'started')
    await durably('work.running', () => update.execute(), method)
  }

  async done({ key, method }: TrackedWork, callId: string, worker: string, outcome: Outcome): Promise<void> {
    const update = this.#db
      .updateTable('scheduled_work')
      .set({
        state: 'done',
        call_id: callId,
        worker,
        result: JSON.stringify(outcome.value ?? null),
        error: outcome.error === null ? null : JSON.stringify(outcome.error),
        updated_at: this.#clock.now(),
      })
      .where('key', '=', key)
    await durably('work.done', () => update.execute(), method)
  }

  async outcome(key: string): Promise<Outcome | null> {
    const row = await this.#db
      .selectFrom('scheduled_work')
      .select(['result', 'error'])
      .where('key', '=', key)
      .where('state', '=', 'done')
      .executeTakeFirst()
    if (row === undefined) return null
    return {
      value: JSON.parse(row.result ?? 'null') as unknown,
      error: row.error === null ? null : (JSON.parse(row.error) as CallError),
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    const remove = this.#db.deleteFrom('scheduled_work').where('key', 'in', keys)
    await durably('work.removed', () => remove.execute())
  }

  async removeOf(sector: SectorId): Promise<void> {
    const forget = this.#db
      .deleteFrom('scheduled_work')
      .where('miner', '=', sector.Miner)
      .where('number', '=', sector.Number)
    await durably('work.forgotten', () => forget.execute())
  }
}
