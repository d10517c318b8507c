import type { ConnectedWorker } from './connected-worker.ts'
import type { TaskRequest } from './decide/request.ts'
import { deferred } from './deferred.ts'

/** What a task is made of: a request that decisions look at, and what is done on the worker that gets it. */
export interface Task<T = unknown> extends Omit<TaskRequest, 'id' | 'queuedAtMs'> {
  /** Gets the files a task needs to where it runs; null when it needs none. */
  readonly prepare: ((worker: ConnectedWorker) => Promise<void>) | null
  readonly work: (worker: ConnectedWorker) => Promise<T>
  /** Session of a worker that may do it already, asked by an earlier run of the sealer. */
  readonly perhapsOn?: string | null
}

/** A worker that may do a task already; times are monotonic. */
export interface PerhapsOn {
  /** Session. */
  readonly worker: string
  /** While it is there, nobody else is asked before. */
  readonly untilMs: number
  /** The same while it is away. */
  readonly awayUntilMs: number
}

/** Two heartbeats: a worker that lives has found the sealer again by then. */
const BACK_MS = 20_000
/** A worker that may do a task already is waited for this long before another one begins the same. */
export const LOST_ANSWER_MS = 60_000

/**
 * One task on its way.
 *
 *     queued ──decide──► assigned ──room to prepare──► preparing ──► prepared ──room to work──► running ──► ended
 *        ▲                  │ the worker is disabled        │ would not take it                   │
 *        └──────────────────┴───────────────────────────────┴─────────────────────────────────────┘
 */
export type JobStage = 'queued' | 'assigned' | 'preparing' | 'prepared' | 'running' | 'ended'

export class Job implements TaskRequest {
  readonly id: string
  readonly sector: TaskRequest['sector']
  readonly task: TaskRequest['task']
  readonly priority: number
  readonly selector: TaskRequest['selector']
  readonly brings: TaskRequest['brings']
  readonly queuedAtMs: number
  readonly actions: Pick<Task, 'prepare' | 'work'>
  stage: JobStage = 'queued'
  /** Milliseconds since 1970, of the last change of stage. */
  stageAt: number
  /** Monotonic, of the same. */
  stageAtMs: number
  /** Worker → why it would not take the task, and until when it is not asked again (monotonic). */
  readonly refusals = new Map<string, { readonly reason: string; readonly untilMs: number }>()
  timesRefused = 0
  perhapsOn: PerhapsOn | null = null
  readonly #result = deferred<unknown>()

  constructor(id: string, task: Task, at: number, atMs: number) {
    this.id = id
    this.sector = task.sector
    this.task = task.task
    this.priority = task.priority
    this.selector = task.selector
    this.brings = task.brings
    this.actions = { prepare: task.prepare, work: task.work }
    this.queuedAtMs = atMs
    this.stageAt = at
    this.stageAtMs = atMs
    const worker = task.perhapsOn ?? null
    if (worker !== null) {
      this.perhapsOn = { worker, untilMs: atMs + LOST_ANSWER_MS, awayUntilMs: atMs + BACK_MS }
    }
  }

  get result(): Promise<unknown> {
    return this.#result.promise
  }

  enter(stage: JobStage, at: number, atMs: number): void {
    this.stage = stage
    this.stageAt = at
    this.stageAtMs = atMs
  }

  succeed(value: unknown): void {
    this.stage = 'ended'
    this.#result.resolve(value)
  }

  fail(error: unknown): void {
    this.stage = 'ended'
    this.#result.reject(error)
  }
}
