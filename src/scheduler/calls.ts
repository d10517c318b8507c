import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { CallId } from '../protocol/types.ts'
import { type SectorId, sameSector, sectorName } from '../sectors/sector-id.ts'
import { TASK, type TaskType, taskCode } from '../sectors/task-types.ts'
import { fromCallError, SchedulerError } from './errors.ts'
import { CallRefused, type CallSubject, RunningCall } from './running-call.ts'
import { RunningCalls } from './running-calls.ts'
import { type TrackedWork, taskOfMethod } from './work-key.ts'
import type { Outcome, WorkRow, WorkRows } from './work-rows.ts'

export interface CallsOptions {
  readonly rows: WorkRows
  readonly clock: Clock
  readonly log: Logger
}

interface Tracked {
  row: WorkRow
  /** Taken by a caller in this run of the process. */
  taken: boolean
  /** The sector is past it: nobody will ask for its result. */
  past: boolean
  /** A worker was asked for it by an earlier run of the process, which has not heard whether it took it. */
  readonly unanswered: boolean
}

/**
 * Calls that workers have taken, and their results.
 *
 *     started ──the worker answers a call ID──► running ──Return…──► done ──next question of the sector──► gone
 *        └─ the worker says no: gone               └─ abort: gone       └─ an error is told once: gone
 *
 * The result of tracked work is durable before the worker hears that it was accepted, and stays until the sector
 * asks for something else: a sealer that stops between taking and saving it finds it again.
 */
export class Calls {
  readonly #rows: WorkRows
  readonly #clock: Clock
  readonly #log: Logger
  readonly #running: RunningCalls
  readonly #tracked = new Map<string, Tracked>()

  private constructor({ rows, clock, log }: CallsOptions) {
    this.#rows = rows
    this.#clock = clock
    this.#log = log
    this.#running = new RunningCalls(clock)
  }

  static async open(options: CallsOptions): Promise<Calls> {
    const calls = new Calls(options)
    for (const row of await options.rows.load()) calls.#restore(row)
    return calls
  }

  /** Whether an earlier run of the process has left work behind. */
  get hasHistory(): boolean {
    return this.#tracked.size > 0
  }

  /** Whether the same work runs, or has ended and nobody took its result. */
  isKnown(work: TrackedWork): boolean {
    const known = this.#tracked.get(work.key)
    return known !== undefined && known.row.state !== 'started' && !known.taken
  }

  /** Session of the worker that does work which is known; null when its result is here. */
  workerOf(work: TrackedWork): string | null {
    return this.#running.of(work.key)?.subject.worker ?? null
  }

  /** Session of a worker that may do work which is not known: an earlier run of the process asked it, and ended. */
  perhapsOn(work: TrackedWork): string | null {
    const asked = this.#tracked.get(work.key)
    return asked?.unanswered === true ? asked.row.worker : null
  }

  /**
   * The result of work that is known.
   * @throws SchedulerError as the worker said, ABORTED, STOPPED
   */
  async attach(work: TrackedWork): Promise<unknown> {
    const running = this.#running.of(work.key)
    const outcome = running === null ? await this.#rows.outcome(work.key) : await running.ended()
    if (outcome === null) return this.#lost(work)
    return this.#take({ sector: work.sector, task: taskOfMethod(work.method), worker: '', work }, outcome)
  }

  /**
   * Asks a worker for work and follows it to its result.
   * @param invoke answers the call's ID as soon as the worker has taken the work
   * @throws what `invoke` throws, inside CallRefused; SchedulerError as for `attach`
   */
  async run(subject: CallSubject, invoke: () => Promise<CallId>): Promise<unknown> {
    if (subject.work !== null) await this.#begin(subject.work, subject.worker)
    const call = await this.#invoke(subject, invoke)
    const outcome = await call.ended()
    if (subject.work === null) this.#running.remove(call.id.ID)
    return this.#take(subject, outcome)
  }

  /** A caller has the result of its work: asked for again, the work is done again. */
  taken(work: TrackedWork): void {
    const known = this.#tracked.get(work.key)
    if (known?.row.state === 'done') known.taken = true
  }

  /** A worker hands a result in. Comes back when it is durable, or when nobody waits for it. */
  async returned(id: CallId, outcome: Outcome): Promise<void> {
    const call = this.#running.get(id.ID) ?? (await this.#running.whenNamed(id.ID))
    if (call === null) {
      this.#log.debug('a result that nobody waits for was dropped', {
        sector: sectorName(id.Sector),
        call: id.ID,
      })
      return
    }
    const { work, worker } = call.subject
    await call.end(outcome, async () => {
      if (work !== null) await this.#rows.done(work, id.ID, worker, outcome)
    })
    if (work === null) return
    this.#running.remove(id.ID)
    this.#note(work.key, { state: 'done' })
    if (this.#tracked.get(work.key)?.past === true && !call.awaited) await this.#drop([work.key])
  }

  /** Answers a call with "task aborted"; the worker goes on with it, its result is dropped. */
  async abort(id: CallId): Promise<void> {
    const call = this.#running.get(id.ID)
    if (call === undefined) {
      throw new SchedulerError({
        code: 'NOT_HELD',
        level: 'permanent',
        message: `no call ${id.ID} is running; 'sealing jobs' lists those that are`,
      })
    }
    const { sector, task, work } = call.subject
    call.fail(
      new SchedulerError({
        code: 'ABORTED',
        level: 'permanent',
        message: `${taskCode(task)}: task aborted`,
        sector: sectorName(sector),
        callCode: 0,
      }),
    )
    this.#running.remove(id.ID)
    if (work !== null) await this.#drop([work.key])
  }

  /**
   * Results have done their duty when the sector is in its store, also those that an earlier run of the process took:
   * C1's has 70 MB. Only a proof that nobody has taken may still be wanted, when its C2 was deferred meanwhile.
   */
  async clear(sector: SectorId): Promise<void> {
    const done = [...this.#tracked.values()].filter(
      ({ row, taken }) =>
        sameSector(sectorOf(row), sector) &&
        (taken || (row.state === 'done' && taskOfMethod(row.method) !== TASK.C2)),
    )
    await this.#drop(done.map(({ row }) => row.key))
  }

  /**
   * A sector has come to where it may ask for one task's result only: results of others that nobody has taken go, now
   * or when they come. A sealer that was killed has them of work that it had saved long before.
   * @param wanted null when it asks for none
   */
  async settle(sector: SectorId, wanted: TaskType | null): Promise<void> {
    const ghosts: string[] = []
    for (const tracked of this.#tracked.values()) {
      const { row, taken, unanswered } = tracked
      if (!sameSector(sectorOf(row), sector)) continue
      tracked.past = taskOfMethod(row.method) !== wanted
      if (tracked.past && (unanswered || (row.state === 'done' && !taken))) ghosts.push(row.key)
    }
    await this.#drop(ghosts)
  }

  /** Forgets a sector; a call that somebody waits for still ends as it ends. */
  async forget(sector: SectorId): Promise<void> {
    const gone = [...this.#tracked.values()].filter(({ row }) => sameSector(sectorOf(row), sector))
    for (const { row } of gone) {
      this.#tracked.delete(row.key)
      if (row.call_id !== null && this.#running.get(row.call_id)?.awaited !== true) {
        this.#running.remove(row.call_id)
      }
    }
    await this.#rows.removeOf(sector)
  }

  /** Ends every wait with an error; the rows stay for the next run of the process. */
  stop(error: Error): void {
    for (const call of this.#running.list()) call.fail(error)
  }

  running(): RunningCall[] {
    return this.#running.list()
  }

  /** Rows whose result has come, and whether it was taken. */
  done(): { row: WorkRow; taken: boolean }[] {
    return [...this.#tracked.values()].filter(({ row }) => row.state === 'done')
  }

  /** Calls whose result came before their name. */
  early(): string[] {
    return this.#running.early()
  }

  #restore(row: WorkRow): void {
    const unanswered = row.state === 'started'
    this.#tracked.set(row.key, { row, taken: false, past: false, unanswered })
    if (row.state !== 'running' || row.call_id === null) return
    const sector = sectorOf(row)
    const work = { key: row.key, sector, method: row.method, params: '' } as TrackedWork
    const subject = { sector, task: taskOfMethod(row.method), worker: row.worker ?? '', work }
    this.#running.add(new RunningCall({ Sector: sector, ID: row.call_id }, subject, row.created_at))
  }

  /** Results of the sector's earlier work have done their duty when it asks for other work. */
  async #begin(work: TrackedWork, worker: string): Promise<void> {
    const stale = [...this.#tracked.values()].filter(
      ({ row, taken, unanswered }) =>
        (row.state === 'done' || unanswered) &&
        sameSector(sectorOf(row), work.sector) &&
        (taken || row.key !== work.key),
    )
    await this.#drop(stale.map(({ row }) => row.key))
    await this.#rows.started(work, worker)
    const at = this.#clock.now()
    const { Miner: miner, Number: number } = work.sector
    const { key, method } = work
    this.#tracked.set(key, {
      row: {
        key,
        miner,
        number,
        method,
        call_id: null,
        worker,
        state: 'started',
        created_at: at,
        updated_at: at,
      },
      taken: false,
      past: false,
      unanswered: false,
    })
  }

  async #invoke(subject: CallSubject, invoke: () => Promise<CallId>): Promise<RunningCall> {
    const { work, worker } = subject
    const call = await this.#running.begin(invoke, subject).catch(async (error: unknown) => {
      if (work !== null) await this.#drop([work.key])
      throw new CallRefused(error)
    })
    if (work !== null) {
      this.#note(work.key, { call_id: call.id.ID, worker, state: 'running' })
      await this.#rows.running(work, call.id.ID, worker)
    }
    return call
  }

  async #take(subject: CallSubject, { value, error }: Outcome): Promise<unknown> {
    const { work } = subject
    if (error !== null) {
      if (work !== null) await this.#drop([work.key])
      throw fromCallError(error, taskCode(subject.task), sectorName(subject.sector))
    }
    return value
  }

  #lost(work: TrackedWork): never {
    this.#tracked.delete(work.key)
    throw new SchedulerError({
      code: 'BAD_RESULT',
      level: 'temporary',
      message: `${work.method}: the result that was kept is gone; it is asked for again`,
      sector: sectorName(work.sector),
    })
  }

  #note(key: string, change: Partial<WorkRow>): void {
    const known = this.#tracked.get(key)
    // The sector may have been forgotten meanwhile.
    if (known !== undefined) known.row = { ...known.row, ...change, updated_at: this.#clock.now() }
  }

  async #drop(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#tracked.delete(key)
    await this.#rows.remove(keys)
  }
}

function sectorOf(row: WorkRow): SectorId {
  return { Miner: row.miner, Number: row.number }
}
