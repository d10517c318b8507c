import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { ReturnApi } from '../protocol/apis.ts'
import type { WorkerConnection } from '../protocol/connections.ts'
import type { CallId, Decision, SchedDiag, WorkerJob, WorkerStats } from '../protocol/types.ts'
import type { SectorIndex } from '../sector-index/sector-index.ts'
import type { SealerTables } from '../state/tables.ts'
import { Calls } from './calls.ts'
import { ConnectedWorker } from './connected-worker.ts'
import { SchedulerError } from './errors.ts'
import { schedDiag, workerJobs, workerStats } from './listings.ts'
import { loadPolicy } from './load-policy.ts'
import { SchedulingLoop } from './loop.ts'
import { returnsTo } from './returns.ts'
import { ScheduledSectorTasks } from './scheduled-sector-tasks.ts'
import type { SectorTasks } from './sector-tasks.ts'
import { within } from './within.ts'
import { WorkRows } from './work-rows.ts'

export interface SchedulerOptions {
  readonly db: Kysely<SealerTables>
  readonly index: SectorIndex
  /** Module with an own `accept` or `compare`; empty for none. */
  readonly policyFile: string
  /** Finalize only where the files are. */
  readonly disallowRemoteFinalize: boolean
  /** How long after a restart nothing is given away; 3 s by default. */
  readonly settleMs?: number
  readonly clock: Clock
  readonly log: Log
}

/** lotus' wait after a start: workers of the earlier run come back before anything is given away. */
const SETTLE_MS = 3000

/** Connected workers, what waits for them, and who does what next. */
export class Scheduler {
  /** What the pipeline asks for. */
  readonly tasks: SectorTasks
  /** Where workers hand results in. */
  readonly returns: ReturnApi
  readonly #loop: SchedulingLoop
  readonly #calls: Calls
  readonly #clock: Clock

  private constructor(options: SchedulerOptions, loop: SchedulingLoop, calls: Calls) {
    this.#loop = loop
    this.#calls = calls
    this.#clock = options.clock
    this.returns = returnsTo(calls)
    this.tasks = new ScheduledSectorTasks({
      index: options.index,
      loop,
      calls,
      disallowRemoteFinalize: options.disallowRemoteFinalize,
      clock: options.clock,
      log: options.log.logger('advmgr'),
    })
  }

  /** @throws SchedulerError BAD_POLICY */
  static async open(options: SchedulerOptions): Promise<Scheduler> {
    const { clock, db, index } = options
    const log = options.log.logger('advmgr')
    const policy = await loadPolicy(options.policyFile)
    const calls = await Calls.open({ rows: new WorkRows(db, clock), clock, log })
    // Paths that only the state remembers: their nodes have not come back yet.
    const awaited = index.view().paths.some((path) => path.heartbeatAgeMs === null)
    const isRestart = calls.hasHistory || awaited
    const settleMs = isRestart ? (options.settleMs ?? SETTLE_MS) : 0
    return new Scheduler(options, new SchedulingLoop({ index, policy, clock, log, settleMs }), calls)
  }

  /**
   * Takes a worker in, or its new connection when its session is known; the scheduler closes it when it is done.
   * @throws SchedulerError WORKER_VERSION, NO_ANSWER; what the connection throws
   */
  async connect(connection: WorkerConnection): Promise<void> {
    try {
      this.#loop.add(await ConnectedWorker.greet(connection, this.#clock))
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /** By session, as `sealing workers` shows them. */
  workerStats(): Record<string, WorkerStats> {
    return workerStats(this.#loop)
  }

  /** By session; jobs of workers that have not come back are listed too. */
  workerJobs(): Record<string, WorkerJob[]> {
    return workerJobs(this.#loop, this.#calls)
  }

  /** @param force decides first */
  async diag(force: boolean): Promise<SchedDiag> {
    if (force) {
      this.#loop.trigger()
      await this.#loop.idle()
    }
    return schedDiag(this.#loop, this.#calls)
  }

  /** @throws SchedulerError NOT_HELD when no such call runs */
  abort(call: CallId): Promise<void> {
    return this.#calls.abort(call)
  }

  /** @throws SchedulerError NOT_HELD when no such request waits */
  async removeRequest(schedId: string): Promise<void> {
    if (this.#loop.removeRequest(schedId)) return
    throw new SchedulerError({
      code: 'NOT_HELD',
      level: 'permanent',
      message: `no request ${schedId} is in the queue; 'sealing sched-diag' lists those that are`,
    })
  }

  /** The latest ones, newest last. */
  decisions(): Decision[] {
    return this.#loop.decisions()
  }

  /** Ends all waits with STOPPED. Calls that workers have taken go on; the next run of the sealer finds them. */
  async close(deadlineMs: number): Promise<void> {
    const error = new SchedulerError({
      code: 'STOPPED',
      level: 'temporary',
      message: 'the sealer is stopping; it goes on with this after its next start',
    })
    this.#calls.stop(error)
    await within(this.#loop.stop(error), deadlineMs, this.#clock, 'the scheduler')
  }
}
