import { createHash, randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { durably } from '../base/durable-steps.ts'
import { describeError, isSealyardError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { ReturnApi } from '../protocol/apis.ts'
import type { CallError, CallId } from '../protocol/types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import type { WorkerTables } from '../state/tables.ts'
import { restartedError, toCallError, workerError } from './errors.ts'
import { HandIn, type Outcome } from './hand-in.ts'
import { StateWrites } from './state-writes.ts'

export interface CallRequest {
  readonly sector: SectorId
  /** `PC1`, for listings and messages. */
  readonly task: string
  readonly returns: keyof ReturnApi
  readonly params: readonly unknown[]
  /** @param signal fires when the worker stops */
  readonly run: (signal: AbortSignal) => Promise<unknown>
}

export interface CallsOptions {
  readonly db: Kysely<WorkerTables>
  readonly returns: ReturnApi
  /** Name of this worker in messages to the sealer. */
  readonly host: string
  readonly clock: Clock
  readonly log: Logger
  /** Told of a failure that makes it unwise to take more work. */
  readonly onCritical: (error: unknown) => void
  /** Told why the state file cannot be written, and null once it could be again: no work should come between. */
  readonly onStateChange: (trouble: unknown) => void
  /** How long a result that the sealer did not take waits; 5 s by default. */
  readonly retryMs?: number
}

/** How long after the deadline a killed task may take to put its files back. */
const GRACE_MS = 5000

/**
 * Calls from their CallID to the accepted result; what is acknowledged here survives a power cut.
 *
 *     take ──recorded──► running ──result stored──► done ──accepted, or unknown to the sealer──► removed
 *                          └─ found at start: done, with "worker restarted" (101); nothing resumes
 *
 * A result that a full disk refuses to store is kept in memory, and stored and handed in once there is space.
 */
export class Calls {
  readonly #options: CallsOptions
  readonly #handIn: HandIn
  readonly #state: StateWrites
  readonly #stop = new AbortController()
  #isClosing = false
  /** Runs now, by what is asked: a call that is sent again joins the run and gets its result. */
  readonly #runs = new Map<string, Promise<Outcome | null>>()
  readonly #background = new Set<Promise<void>>()

  private constructor(options: CallsOptions) {
    this.#options = options
    const { signal } = this.#stop
    this.#state = new StateWrites({ ...options, signal })
    this.#handIn = new HandIn({ ...options, state: this.#state, signal })
  }

  /** Results of an earlier run are handed in, what it left unfinished is answered with "worker restarted". */
  static async open(options: CallsOptions): Promise<Calls> {
    const calls = new Calls(options)
    await calls.#takeUp()
    return calls
  }

  /** How many tasks run. */
  get running(): number {
    return this.#runs.size
  }

  /** @returns once the call is recorded; it then runs, whatever becomes of the caller's connection */
  async take(request: CallRequest): Promise<CallId> {
    if (this.#isClosing) {
      throw workerError({
        code: 'STOPPING',
        level: 'temporary',
        message: 'this worker is being stopped and takes no more work',
        sector: request.sector,
      })
    }
    const id = randomUUID()
    const insert = this.#options.db.insertInto('worker_calls').values({
      id,
      miner: request.sector.Miner,
      number: request.sector.Number,
      task: request.task,
      return_method: request.returns,
      params: brief(request.params),
      state: 'running',
      result: null,
      created_at: this.#options.clock.now(),
    })
    await durably('worker.call-recorded', () => insert.execute())
    this.#track(this.#follow(id, request))
    return { Sector: request.sector, ID: id }
  }

  /** Answers when nothing runs. */
  async quiet(): Promise<void> {
    while (this.#runs.size > 0) await Promise.allSettled(this.#runs.values())
  }

  /** Lets tasks end until the deadline, then stops them: their calls are answered "restarted" at the next start. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true
    await this.#within(deadlineMs, this.quiet())
    this.#stop.abort(
      workerError({ code: 'STOPPING', level: 'temporary', message: 'the worker is being stopped' }),
    )
    await this.#within(GRACE_MS, Promise.allSettled(this.#background))
  }

  async #takeUp(): Promise<void> {
    const { db, host, log } = this.#options
    const restarted: Outcome = { value: null, error: restartedError(host) }
    const answer = db
      .updateTable('worker_calls')
      .set({ state: 'done', result: JSON.stringify(restarted) })
      .where('state', '=', 'running')
    const { numUpdatedRows } = await durably('worker.calls-answered', () => answer.executeTakeFirst())
    if (numUpdatedRows > 0n) {
      log.warn('calls of the last run did not end; the sealer is told', { calls: Number(numUpdatedRows) })
    }
    const rows = await db.selectFrom('worker_calls').selectAll().orderBy('created_at').execute()
    for (const row of rows) {
      const sector = { Miner: row.miner, Number: row.number }
      this.#track(
        this.#handIn.deliver({
          id: { Sector: sector, ID: row.id },
          returns: row.return_method as keyof ReturnApi,
          outcome: JSON.parse(row.result ?? 'null') as Outcome,
        }),
      )
    }
  }

  async #follow(id: string, request: CallRequest): Promise<void> {
    const outcome = await this.#runOnce(request)
    // Stopped by us: the record stays as it is, and the next start answers the call.
    if (outcome === null) return
    const store = this.#options.db
      .updateTable('worker_calls')
      .set({ state: 'done', result: JSON.stringify(outcome) })
      .where('id', '=', id)
    const isStored = await this.#state.surely(() => durably('worker.result-stored', () => store.execute()))
    if (!isStored) return
    await this.#handIn.deliver({ id: { Sector: request.sector, ID: id }, returns: request.returns, outcome })
  }

  #runOnce(request: CallRequest): Promise<Outcome | null> {
    const key = `${request.returns} ${sectorName(request.sector)} ${digest(JSON.stringify(request.params))}`
    const running = this.#runs.get(key)
    if (running !== undefined) return running
    const run = this.#run(request).finally(() => this.#runs.delete(key))
    this.#runs.set(key, run)
    return run
  }

  async #run({ sector, task, run }: CallRequest): Promise<Outcome | null> {
    const { log, host, clock } = this.#options
    const about = { sector: sectorName(sector), task }
    const started = clock.monotonicMs()
    log.info('task started', about)
    try {
      const value = (await run(this.#stop.signal)) ?? null
      log.info('task done', { ...about, ms: Math.round(clock.monotonicMs() - started) })
      return { value, error: null }
    } catch (error) {
      if (this.#stop.signal.aborted) return null
      log.error('task failed', failureFields(about, error))
      if (isHostTrouble(error)) this.#options.onCritical(error)
      const failure: CallError = toCallError(error, `${task} of ${sectorName(sector)}`, host)
      return { value: null, error: failure }
    }
  }

  /** Keeps hold of what runs on its own. */
  #track(work: Promise<void>): void {
    const held = work
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return
        this.#options.log.error('a call could not be seen to its end', { error: describeError(error) })
        this.#options.onCritical(error)
      })
      .finally(() => this.#background.delete(held))
    this.#background.add(held)
  }

  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    const over = new AbortController()
    const timeout = this.#options.clock.sleep(ms, over.signal).catch(() => undefined)
    await Promise.race([work, timeout])
    over.abort()
  }
}

/** A critical failure of one storage path is not the host's: that path is parked, the others go on. */
function isHostTrouble(error: unknown): boolean {
  return isSealyardError(error) && error.level === 'critical' && error.storagePath === null
}

function failureFields(about: { sector: string; task: string }, error: unknown) {
  const fields = { ...about, error: describeError(error) }
  if (!isSealyardError(error)) return { ...fields, stack: error instanceof Error ? (error.stack ?? '') : '' }
  const { code, level, storagePath } = error
  return { ...fields, code, level, ...(storagePath === null ? {} : { storagePath }) }
}

/** Long parameters (C2's is some 70 MB) by their hash: a record is for reading and comparing, nothing runs from it. */
function brief(params: readonly unknown[]): string {
  return JSON.stringify(params, (_key, value: unknown) =>
    typeof value === 'string' && value.length > 256 ? `sha256:${digest(value)}` : value,
  )
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
