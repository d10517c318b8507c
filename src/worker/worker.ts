import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Log, Logger } from '../base/log.ts'
import type { ReturnApi, WorkerApi } from '../protocol/apis.ts'
import type { ReaderSource } from '../protocol/connections.ts'
import type { NodeInfo } from '../protocol/types.ts'
import type { TaskCode } from '../sectors/task-types.ts'
import type { WorkerTables } from '../state/tables.ts'
import type { NodeStorage } from '../storage/node-storage.ts'
import { type WorkerFace, type WorkerSwitch, workerApi } from './api.ts'
import { Calls } from './calls.ts'
import { TaskSwitches } from './task-switches.ts'
import type { WorkerExecutor } from './task-tools.ts'

export interface WorkerOptions {
  readonly storage: NodeStorage
  readonly executor: WorkerExecutor
  readonly readers: ReaderSource
  readonly db: Kysely<WorkerTables>
  /** Takes results: the sealer, in process or over the wire. */
  readonly returns: ReturnApi
  readonly info: WorkerFace['info']
  /** What it may do: switchable tasks, and those that every worker does. */
  readonly tasks: readonly TaskCode[]
  readonly node: NodeInfo
  /** Seal proof type of the cluster's sectors: C2 is offered only when this host has parameters for it. */
  readonly proofType: number
  /** Directory for C2's input. What an earlier run left in it may go before this one begins. */
  readonly scratch: string
  /** How long a result that the sealer did not take waits; 5 s by default. */
  readonly retryMs?: number
  readonly onShutdown: () => void
  readonly log: Log
  readonly clock: Clock
}

/** The agent that runs tasks on this host: what it is told to, with what it is given. */
export class Worker {
  readonly api: WorkerApi
  /** UUID of this run; by it the scheduler knows the worker. */
  readonly session: string
  readonly #calls: Calls

  private constructor(api: WorkerApi, session: string, calls: Calls) {
    this.api = api
    this.session = session
    this.#calls = calls
  }

  /** Answers what the last run left unfinished; takes calls from then on. */
  static async open(options: WorkerOptions): Promise<Worker> {
    const { storage, executor, readers, info, node, log, clock, proofType } = options
    const session = randomUUID()
    const logger = log.logger('worker')
    const power: WorkerSwitch = { enabled: true, canRemember: true }
    const calls = await Calls.open({
      db: options.db,
      returns: options.returns,
      host: info.hostname,
      ...(options.retryMs === undefined ? {} : { retryMs: options.retryMs }),
      clock,
      log: logger,
      onCritical(error) {
        power.enabled = false
        logger.error('the worker takes no more work until it is enabled or restarted', {
          error: describeError(error),
        })
      },
      onStateChange: (trouble) => tellOfState(power, logger, trouble),
    })
    const tasks = new TaskSwitches({
      tasks: options.tasks,
      commit2Lacks: () => executor.commit2Lacks(proofType),
      clock,
      log: logger,
    })
    const tools = { storage, executor, readers, scratch: options.scratch, log: logger }
    const face = { session, node, info }
    const { onShutdown } = options
    const api = workerApi({ face, switch: power, tasks, calls, storage, tools, log, onShutdown })
    return new Worker(api, session, calls)
  }

  /** How many tasks run now. */
  get running(): number {
    return this.#calls.running
  }

  /** Takes no more calls, lets tasks end until the deadline, then stops them. Unaccepted results stay recorded. */
  close(deadlineMs: number): Promise<void> {
    return this.#calls.close(deadlineMs)
  }
}

/** Work whose result could not be kept is not taken; an operator has only to make space. */
function tellOfState(power: WorkerSwitch, log: Logger, trouble: unknown): void {
  power.canRemember = trouble === null
  if (power.canRemember) {
    log.info('the state file can be written again; the worker takes work as before')
    return
  }
  log.error('the state file cannot be written: the worker takes no work and keeps its results until it can', {
    error: describeError(trouble),
  })
}
