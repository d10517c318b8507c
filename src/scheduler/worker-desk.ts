import type { Clock } from '../base/clock.ts'
import { TASK } from '../sectors/task-types.ts'
import type { ConnectedWorker } from './connected-worker.ts'
import { asPreparation, asWork, preparationNeeds, workNeeds } from './decide/request.ts'
import type { WorkerView } from './decide/snapshot.ts'
import { type ActiveWindow, compactWindows, openedWindow } from './decide/windows.ts'
import type { Job } from './job.ts'

/** Windows that each worker has open or filled at a time. */
export const WINDOWS_PER_WORKER = 2

/** C1 and C2 start without a prepare step; they hold nothing that moves. */
const READY_TASKS: ReadonlySet<string> = new Set([TASK.C1, TASK.C2])

/** What a desk hands on; it never waits for these. */
export interface DeskEvents {
  /** Runs `job.actions.prepare`, then calls `prepared` or fails the job. */
  prepare(job: Job): void
  work(job: Job): void
}

/** One worker's windows and the tasks it has begun: which may start when (lotus-compat 6.3). */
export class WorkerDesk {
  readonly worker: ConnectedWorker
  readonly #clock: Clock
  readonly #events: DeskEvents
  #windows: ActiveWindow<Job>[] = []
  /** Preparing, prepared and running. */
  readonly #begun = new Set<Job>()

  constructor(worker: ConnectedWorker, clock: Clock, events: DeskEvents) {
    this.worker = worker
    this.#clock = clock
    this.#events = events
  }

  get filledWindows(): number {
    return this.#windows.length
  }

  assign(jobs: readonly Job[]): void {
    for (const job of jobs) {
      this.#enter(job, 'assigned')
      this.worker.noteGiven(job.task)
    }
    this.#windows.push(openedWindow(jobs, this.worker.info))
  }

  /** Begins all that has room now. */
  advance(): void {
    // Those whose caller gave up meanwhile.
    for (const window of this.#windows) window.todo = window.todo.filter((job) => job.stage !== 'ended')
    this.#windows = compactWindows(this.#windows, this.worker.info)
    if (this.worker.enabled) {
      this.#startPrepared()
      this.#startReady()
      this.#startPreparing()
    }
    this.#windows = this.#windows.filter((window) => window.todo.length > 0)
  }

  /** The job's files are there: from now on it is no fetch any more, but its place is kept. */
  prepared(job: Job): void {
    this.worker.counts.remove(asPreparation(job))
    this.#enter(job, 'prepared')
    this.advance()
  }

  /** The job has ended, well or not, or goes back to the queue. */
  release(job: Job): void {
    if (!this.#begun.delete(job)) return
    const { worker } = this
    if (job.stage === 'running') worker.active.free(asWork(job), workNeeds(job, worker.info), worker.info)
    else worker.preparing.free(asPreparation(job), preparationNeeds(job, worker.info), worker.info)
  }

  /** Takes back what has not begun on the worker: it is away. */
  takeBack(): Job[] {
    const jobs = this.#windows.flatMap((window) => window.todo)
    this.#windows = []
    return jobs
  }

  /** Those whose files are here and that wait for room. */
  preparedJobs(): Job[] {
    return [...this.#begun].filter((job) => job.stage === 'prepared')
  }

  begunJobs(): Job[] {
    return [...this.#begun]
  }

  /** Jobs by window, in order. */
  windowedJobs(): readonly (readonly Job[])[] {
    return this.#windows.map((window) => window.todo)
  }

  runningJobs(): Job[] {
    return [...this.#begun].filter((job) => job.stage === 'running')
  }

  view(): WorkerView {
    const nowMs = this.#clock.monotonicMs()
    const waiting = [...this.#begun].filter((job) => job.stage !== 'running')
    return this.worker.view(
      this.runningJobs().map((job) => ({ request: job, elapsedMs: nowMs - job.stageAtMs })),
      [...waiting, ...this.#windows.flatMap((window) => window.todo)],
      this.#windows.map((window) => window.allocated),
    )
  }

  #startPrepared(): void {
    const { worker } = this
    for (const job of this.preparedJobs()) {
      if (!worker.active.fits(asWork(job), workNeeds(job, worker.info), worker.info)) continue
      worker.preparing.free(asPreparation(job), preparationNeeds(job, worker.info), worker.info)
      this.#run(job)
    }
  }

  /** Only while no prepared task waits: otherwise small tasks would keep a big one waiting for ever. */
  #startReady(): void {
    if (this.preparedJobs().length > 0) return
    const { worker } = this
    for (const window of this.#windows) {
      for (const job of window.todo.filter((each) => READY_TASKS.has(each.task))) {
        if (!worker.active.fits(asWork(job), workNeeds(job, worker.info), worker.info)) continue
        window.todo = window.todo.filter((each) => each !== job)
        this.#begun.add(job)
        this.#run(job)
      }
    }
  }

  /** In order of the windows; a later one begins only when nothing is left in those before. */
  #startPreparing(): void {
    for (const window of this.#windows) {
      for (const job of window.todo.filter((each) => !READY_TASKS.has(each.task))) {
        if (!this.#canPrepare(job)) continue
        window.todo = window.todo.filter((each) => each !== job)
        this.#begin(job)
      }
      if (window.todo.length > 0) return
    }
  }

  #canPrepare(job: Job): boolean {
    const { info, preparing } = this.worker
    return preparing.fits(asPreparation(job), preparationNeeds(job, info), info)
  }

  #begin(job: Job): void {
    const { info, preparing } = this.worker
    preparing.add(asPreparation(job), preparationNeeds(job, info), info)
    this.#begun.add(job)
    this.#enter(job, 'preparing')
    this.#events.prepare(job)
  }

  #run(job: Job): void {
    const { worker } = this
    worker.active.add(asWork(job), workNeeds(job, worker.info), worker.info)
    this.#enter(job, 'running')
    this.#events.work(job)
  }

  #enter(job: Job, stage: Job['stage']): void {
    job.enter(stage, this.#clock.now(), this.#clock.monotonicMs())
  }
}
