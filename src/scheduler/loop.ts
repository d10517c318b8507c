import { randomUUID } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Decision } from '../protocol/types.ts'
import type { SectorIndex } from '../sector-index/sector-index.ts'
import { AdoptedWork } from './adopted-work.ts'
import type { ConnectedWorker } from './connected-worker.ts'
import { bytesToMove } from './decide/cost.ts'
import { type Assignment, decide } from './decide/decide.ts'
import type { Policy } from './decide/policy.ts'
import { RequestQueue } from './decide/queue.ts'
import type { Snapshot } from './decide/snapshot.ts'
import { DecisionLog } from './decision-log.ts'
import type { SchedulerError } from './errors.ts'
import { Experiences } from './experience.ts'
import { Job, type Task } from './job.ts'
import { aboutJob, refusedTooOften, requestRemoved } from './job-errors.ts'
import { MOST_REFUSALS, noteRefusal } from './refusals.ts'
import { CallRefused } from './running-call.ts'
import { snapshotOf } from './snapshot-of.ts'
import type { WorkerDesk } from './worker-desk.ts'
import { WorkerRoster } from './worker-roster.ts'

export interface LoopOptions {
  readonly index: SectorIndex
  readonly policy: Policy
  readonly clock: Clock
  readonly log: Logger
  /** Nothing is decided before: workers of an earlier run come back first. */
  readonly settleMs: number
}

/**
 * Queue, rounds of decisions, and tasks on their way; decides whenever something has changed that may let a task
 * run: a new request, a window, a worker, the index, and every 10 s.
 */
export class SchedulingLoop {
  readonly #options: LoopOptions
  readonly #queue = new RequestQueue<Job>()
  readonly #roster: WorkerRoster
  readonly #decisions = new DecisionLog()
  readonly #experience = new Experiences()
  readonly #adopted = new AdoptedWork()
  readonly #stopped = new AbortController()
  readonly #settledAtMs: number
  readonly #unsubscribe: () => void
  #wanted = false
  #turn: Promise<void> | null = null

  constructor(options: LoopOptions) {
    this.#options = options
    this.#settledAtMs = options.clock.monotonicMs() + options.settleMs
    this.#roster = new WorkerRoster(options, {
      changed: () => this.trigger(),
      takenBack: (desk, job) => this.#requeue(desk, job),
      deskEvents: (desk) => ({
        prepare: (job) => void this.#prepare(desk(), job),
        work: (job) => void this.#work(desk(), job),
      }),
    })
    this.#unsubscribe = options.index.onChange(() => this.trigger())
    void this.#wakeWhenSettled()
    void this.#roster.watch(this.#stopped.signal)
  }

  /**
   * Puts a task in the queue and follows it to its end.
   * @param signal takes it back while it waits; what a worker has begun is followed to its end
   * @throws what the task throws; the signal's reason
   */
  async schedule<T>(task: Task<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    this.#stopped.signal.throwIfAborted()
    const { clock } = this.#options
    const job = new Job(randomUUID(), task, clock.now(), clock.monotonicMs())
    this.#queue.push(job)
    this.trigger()
    const giveUp = () => this.#giveUp(job, signal?.reason)
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      return (await job.result) as T
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /**
   * Counts work of an earlier run of the sealer where it runs, until its result comes.
   * @param session the worker's
   * @param onBack called once, when that worker is there
   */
  async follow<T>(
    work: Pick<Job, 'id' | 'sector' | 'task'>,
    session: string,
    result: Promise<T>,
    onBack: (worker: ConnectedWorker) => void,
  ): Promise<T> {
    const worker = this.workers().find(({ id }) => id === session) ?? null
    try {
      return await this.#adopted.follow(work, session, worker, result, onBack)
    } finally {
      for (const desk of this.desks()) this.#roster.advance(desk)
    }
  }

  /** Work of an earlier run that a worker still does. */
  followed(session: string): Pick<Job, 'id' | 'sector' | 'task'>[] {
    return this.#adopted.of(session)
  }

  /** A worker that has come, or come back with the same session. */
  add(worker: ConnectedWorker): void {
    this.#adopted.greet(worker)
    this.#roster.add(worker)
  }

  workers(): ConnectedWorker[] {
    return this.desks().map((desk) => desk.worker)
  }

  /** Has all workers say again what they can do; one that does not answer is disabled. */
  refreshWorkers(): Promise<void> {
    return this.#roster.refresh(this.#options.index.pathsVersion)
  }

  desks(): WorkerDesk[] {
    return this.#roster.desks()
  }

  queued(): readonly Job[] {
    return this.#queue.list()
  }

  openWindows(): readonly string[] {
    return this.#roster.openWindows()
  }

  decisions(): Decision[] {
    return this.#decisions.list()
  }

  /** @returns whether it was in the queue */
  removeRequest(id: string): boolean {
    const job = this.#queue.remove(id)
    job?.fail(requestRemoved(job))
    return job !== null
  }

  /** Decides soon; calls that come together make one round. */
  trigger(): void {
    if (this.#stopped.signal.aborted) return
    this.#wanted = true
    this.#turn ??= this.#turns()
  }

  /** Comes back when everything that was to be decided is. */
  async idle(): Promise<void> {
    while (this.#turn !== null) await this.#turn
  }

  /** Ends all waits with `error`. What workers do goes on; a restarted sealer finds it again. */
  async stop(error: SchedulerError): Promise<void> {
    this.#stopped.abort(error)
    this.#unsubscribe()
    await this.idle()
    for (const job of this.#queue.list()) job.fail(error)
    for (const desk of this.desks()) {
      for (const job of [...desk.takeBack(), ...desk.begunJobs()]) job.fail(error)
      desk.worker.connection.close()
    }
  }

  async #turns(): Promise<void> {
    // What is asked for in this turn of the event loop is decided together.
    await Promise.resolve()
    try {
      while (this.#wanted && !this.#stopped.signal.aborted) {
        this.#wanted = false
        await this.#round()
      }
    } catch (error) {
      this.#options.log.error('a round of scheduling failed', { error: describeError(error) })
    } finally {
      this.#turn = null
    }
  }

  async #round(): Promise<void> {
    const { clock, log, policy } = this.#options
    if (this.#queue.list().length === 0 || clock.monotonicMs() < this.#settledAtMs) return
    await this.refreshWorkers()
    if (this.#stopped.signal.aborted) return
    const windows = [...this.#roster.openWindows()]
    const { assignments, decisions, lines } = decide(this.#snapshot(windows), policy)
    for (const line of lines) log.debug(line)
    this.#decisions.note(decisions)
    this.#roster.hand(windows, this.#filled(assignments))
  }

  #snapshot(openWindows: readonly string[]): Snapshot {
    const { clock, index } = this.#options
    const experience = this.#experience
    return snapshotOf({
      clock,
      index,
      queue: this.#queue.list(),
      desks: this.desks(),
      openWindows,
      experience,
    })
  }

  #filled(assignments: readonly Assignment[]): Map<number, Job[]> {
    const filled = new Map<number, Job[]>()
    for (const { request, window } of assignments) {
      const job = this.#queue.remove(request.id)
      if (job !== null) filled.set(window, [...(filled.get(window) ?? []), job])
    }
    return filled
  }

  async #prepare(desk: WorkerDesk, job: Job): Promise<void> {
    const { clock } = this.#options
    const bytes = bytesToMove(job, desk.view(), this.#snapshot([]))
    const startedMs = clock.monotonicMs()
    try {
      await job.actions.prepare?.(desk.worker)
    } catch (error) {
      return this.#failed(desk, job, error)
    }
    this.#experience.noteMoves(bytes, clock.monotonicMs() - startedMs)
    if (!this.#roster.has(desk)) return this.#requeue(desk, job)
    desk.prepared(job)
    this.#roster.advance(desk)
  }

  async #work(desk: WorkerDesk, job: Job): Promise<void> {
    const { clock } = this.#options
    const startedMs = clock.monotonicMs()
    let value: unknown
    try {
      value = await job.actions.work(desk.worker)
    } catch (error) {
      return this.#failed(desk, job, error)
    }
    this.#experience.noteTask(job.task, job.sector.ProofType, clock.monotonicMs() - startedMs)
    desk.release(job)
    job.succeed(value)
    this.#roster.advance(desk)
    this.trigger()
  }

  /** A worker that would not take a task has not begun it: another one may. */
  #failed(desk: WorkerDesk, job: Job, error: unknown): void {
    const { clock, log } = this.#options
    const { id, hostname } = desk.worker
    const reason = describeError(error)
    if (error instanceof CallRefused && ++job.timesRefused < MOST_REFUSALS) {
      const fields = { ...aboutJob(job), worker: id, hostname, error: reason }
      log.warn('a worker would not take a task; it goes back to the queue', fields)
      noteRefusal(job, id, error, clock.monotonicMs())
      desk.worker.forgetFacts()
      this.#requeue(desk, job)
    } else {
      desk.release(job)
      const refused = error instanceof CallRefused
      job.fail(refused ? refusedTooOften(job, desk.worker, reason, error.cause) : error)
    }
    this.#roster.advance(desk)
    this.trigger()
  }

  #requeue(desk: WorkerDesk, job: Job): void {
    const { clock } = this.#options
    desk.release(job)
    if (job.stage === 'ended') return
    job.enter('queued', clock.now(), clock.monotonicMs())
    this.#queue.push(job)
    this.trigger()
  }

  #giveUp(job: Job, reason: unknown): void {
    if (job.stage !== 'queued' && job.stage !== 'assigned') return
    this.#queue.remove(job.id)
    job.fail(reason)
  }

  async #wakeWhenSettled(): Promise<void> {
    const { clock, settleMs } = this.#options
    if (settleMs <= 0) return
    await clock.sleep(settleMs, this.#stopped.signal).then(
      () => this.trigger(),
      () => undefined,
    )
  }
}
