import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { type ConnectedWorker, isSameNode, workerWords } from './connected-worker.ts'
import type { Job } from './job.ts'
import { type DeskEvents, WINDOWS_PER_WORKER, WorkerDesk } from './worker-desk.ts'

export interface RosterOptions {
  readonly clock: Clock
  readonly log: Logger
}

export interface RosterEvents {
  /** Something may run now that could not. */
  changed(): void
  /** A job that had a place has none any more. */
  takenBack(desk: WorkerDesk, job: Job): void
  deskEvents(desk: () => WorkerDesk): DeskEvents
}

const CHECK_MS = 10_000

/**
 * Workers that are connected, and the windows they hold open.
 *
 *     connect ──► enabled ──no answer──► disabled ──it answers──► enabled
 *                    └── another run of it answers or connects ──► gone
 */
export class WorkerRoster {
  readonly #options: RosterOptions
  readonly #events: RosterEvents
  readonly #desks = new Map<string, WorkerDesk>()
  #openWindows: string[] = []

  constructor(options: RosterOptions, events: RosterEvents) {
    this.#options = options
    this.#events = events
  }

  /** A worker that has come, or come back with the same session. */
  add(worker: ConnectedWorker): void {
    const known = this.#desks.get(worker.id)
    if (known !== undefined) {
      this.#reconnected(known, worker)
      return
    }
    for (const older of this.desks().filter((each) => isSameNode(each.worker, worker))) {
      this.#drop(older, 'it has been started again')
    }
    const events = this.#events.deskEvents(() => desk)
    const desk: WorkerDesk = new WorkerDesk(worker, this.#options.clock, events)
    this.#desks.set(worker.id, desk)
    this.#options.log.info('worker connected', workerWords(worker))
    this.#openWindowsOf(desk)
    this.#events.changed()
  }

  desks(): WorkerDesk[] {
    return [...this.#desks.values()]
  }

  has(desk: WorkerDesk): boolean {
    return this.#desks.get(desk.worker.id) === desk
  }

  /** Sessions, in order of opening; the position is the window's number. */
  openWindows(): readonly string[] {
    return this.#openWindows
  }

  /**
   * Gives filled windows to their workers; the empty ones stay open.
   * @param windows as they were when it was decided
   */
  hand(windows: readonly string[], filled: ReadonlyMap<number, readonly Job[]>): void {
    this.#openWindows = windows.filter((_, number) => !filled.has(number))
    for (const [number, jobs] of filled) this.#desks.get(windows[number] ?? '')?.assign(jobs)
    for (const desk of this.desks()) this.advance(desk)
  }

  /** Lets a worker begin what has room, and opens windows in place of those that are done. */
  advance(desk: WorkerDesk): void {
    desk.advance()
    this.#openWindowsOf(desk)
  }

  /** Asks all workers for their tasks and paths, as of this version of the index's paths. */
  async refresh(pathsVersion: number): Promise<void> {
    await Promise.all(
      this.desks().map(async (desk) => {
        if (!desk.worker.enabled) return
        await desk.worker
          .refresh(pathsVersion)
          .catch((error: unknown) => this.#setEnabled(desk, false, describeError(error)))
      }),
    )
  }

  /** Asks every 10 s who is still there, until the signal fires. */
  async watch(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#options.clock.sleep(CHECK_MS, signal)
      } catch {
        return
      }
      await Promise.all(this.desks().map((desk) => this.#checkSession(desk)))
      this.#events.changed()
    }
  }

  #reconnected(known: WorkerDesk, worker: ConnectedWorker): void {
    if (known.worker.connection !== worker.connection) known.worker.connection.close()
    known.worker.connection = worker.connection
    known.worker.forgetFacts()
    this.#setEnabled(known, worker.enabled)
    this.#events.changed()
  }

  #openWindowsOf(desk: WorkerDesk): void {
    const { id, enabled } = desk.worker
    if (!enabled || !this.has(desk)) return
    const open = this.#openWindows.filter((worker) => worker === id).length
    const wanted = Math.max(0, WINDOWS_PER_WORKER - open - desk.filledWindows)
    if (wanted === 0) return
    for (let opened = 0; opened < wanted; opened++) this.#openWindows.push(id)
    this.#events.changed()
  }

  async #checkSession(desk: WorkerDesk): Promise<void> {
    let session: string
    try {
      session = await desk.worker.session()
    } catch (error) {
      return this.#setEnabled(desk, false, describeError(error))
    }
    if (!this.has(desk)) return
    if (session === desk.worker.id) this.#setEnabled(desk, true)
    else this.#drop(desk, 'another run of it answers')
  }

  #setEnabled(desk: WorkerDesk, enabled: boolean, reason = ''): void {
    const { log } = this.#options
    const { worker } = desk
    if (worker.enabled === enabled) return
    worker.enabled = enabled
    const fields = { worker: worker.id, hostname: worker.hostname }
    if (enabled) {
      log.info('worker takes work again', fields)
      worker.forgetFacts()
      this.advance(desk)
    } else {
      log.warn('worker takes no work; what waited for it goes back to the queue', {
        ...fields,
        error: reason,
      })
      this.#withdraw(desk)
    }
    this.#events.changed()
  }

  #drop(desk: WorkerDesk, reason: string): void {
    const { worker } = desk
    this.#options.log.info('worker is gone', { worker: worker.id, hostname: worker.hostname, reason })
    this.#desks.delete(worker.id)
    this.#withdraw(desk)
    for (const job of desk.preparedJobs()) this.#events.takenBack(desk, job)
    worker.connection.close()
  }

  #withdraw(desk: WorkerDesk): void {
    this.#openWindows = this.#openWindows.filter((worker) => worker !== desk.worker.id)
    for (const job of desk.takeBack()) this.#events.takenBack(desk, job)
  }
}
