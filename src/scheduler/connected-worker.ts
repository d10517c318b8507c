import type { Clock } from '../base/clock.ts'
import type { WorkerConnection } from '../protocol/connections.ts'
import { isUnknownMethod } from '../protocol/errors.ts'
import type { Tier, WorkerInfo, WorkerStats } from '../protocol/types.ts'
import { taskCode } from '../sectors/task-types.ts'
import type { TaskRequest } from './decide/request.ts'
import type { RunningTask, WorkerView } from './decide/snapshot.ts'
import { counterOf, TaskCounts, Usage } from './decide/usage.ts'
import { SchedulerError } from './errors.ts'
import { within } from './within.ts'

/** For the quick questions: session, tasks, paths. */
const ANSWER_MS = 5000
/** Tasks and paths are asked again when the last answer is older. */
const FACTS_KEEP_MS = 1000
/** Tiers change only when a path comes, goes or is mounted anew. */
const TIERS_KEEP_MS = 60_000
const TIERS_RETRY_MS = 10_000

interface Known {
  tasks: ReadonlySet<string>
  paths: ReadonlySet<string>
  tiers: ReadonlyMap<string, Tier>
  readAtMs: number
  /** Of the index, when they were read. */
  pathsVersion: number
  tiersUntilMs: number
}

/** A worker as the scheduler knows it: what it says of itself, and its accounts. */
export class ConnectedWorker {
  /** Session: one run of one process. */
  readonly id: string
  readonly info: WorkerInfo
  connection: WorkerConnection
  enabled = true
  readonly counts = new TaskCounts()
  readonly active = new Usage(this.counts)
  readonly preparing = new Usage(this.counts)
  readonly given = new Map<string, number>()
  readonly #clock: Clock
  #known: Known = {
    tasks: new Set(),
    paths: new Set(),
    tiers: new Map(),
    readAtMs: Number.NEGATIVE_INFINITY,
    pathsVersion: 0,
    tiersUntilMs: Number.NEGATIVE_INFINITY,
  }
  #reading: Promise<void> | null = null

  private constructor(id: string, info: WorkerInfo, connection: WorkerConnection, clock: Clock) {
    this.id = id
    this.info = info
    this.connection = connection
    this.#clock = clock
  }

  /**
   * Asks a newcomer all that scheduling needs.
   * @throws SchedulerError WORKER_VERSION, NO_ANSWER; what the connection throws
   */
  static async greet(connection: WorkerConnection, clock: Clock): Promise<ConnectedWorker> {
    const { api } = connection
    const ask = <T>(question: Promise<T>) => within(question, ANSWER_MS, clock, 'the worker')
    checkVersion(await ask(api.Version()))
    const id = await ask(api.ProcessSession())
    const worker = new ConnectedWorker(id, await ask(api.Info()), connection, clock)
    await worker.refresh(0)
    // A worker that was switched off says so here, and is taken in all the same.
    worker.enabled = await worker.session().then(
      () => true,
      () => false,
    )
    return worker
  }

  get hostname(): string {
    return this.info.Hostname
  }

  get paths(): ReadonlySet<string> {
    return this.#known.paths
  }

  get tasks(): ReadonlySet<string> {
    return this.#known.tasks
  }

  /**
   * Reads tasks and paths anew, unless that was a moment ago and no path has come or gone since.
   * @param pathsVersion the index's
   * @throws what the connection throws
   */
  async refresh(pathsVersion: number): Promise<void> {
    const now = this.#clock.monotonicMs()
    const { readAtMs, pathsVersion: known } = this.#known
    if (now - readAtMs < FACTS_KEEP_MS && known === pathsVersion) return
    this.#reading ??= this.#read(pathsVersion).finally(() => {
      this.#reading = null
    })
    await this.#reading
  }

  /** Who answers there now. @throws SchedulerError NO_ANSWER; what the connection throws: then it is disabled */
  session(): Promise<string> {
    return within(this.connection.api.Session(), ANSWER_MS, this.#clock, `worker ${this.hostname}`)
  }

  /** The next decision asks again. */
  forgetFacts(): void {
    this.#known.readAtMs = Number.NEGATIVE_INFINITY
  }

  view(
    running: readonly RunningTask[],
    waiting: readonly TaskRequest[],
    windows: readonly Usage[],
  ): WorkerView {
    const known = this.#known
    return {
      id: this.id,
      hostname: this.hostname,
      machine: this.connection.info?.machine ?? null,
      enabled: this.enabled,
      info: this.info,
      tasks: known.tasks,
      paths: known.paths,
      tier: (from, to) => (from === to ? 'in-place' : (known.tiers.get(`${from} ${to}`) ?? null)),
      active: this.active,
      preparing: this.preparing,
      windows,
      running,
      waiting,
      given: this.given,
      refusals: new Map(),
    }
  }

  noteGiven(task: string): void {
    this.given.set(task, (this.given.get(task) ?? 0) + 1)
  }

  /** As WorkerStats answers: what is active counts, what is prepared does not. */
  stats(running: readonly Pick<TaskRequest, 'id' | 'sector' | 'task'>[]): WorkerStats {
    const counts = new TaskCounts()
    for (const each of running) {
      counts.add({ request: each.id, counter: counterOf(each.sector.ProofType, each.task) })
    }
    return {
      Info: this.info,
      Tasks: [...this.tasks].sort(),
      Enabled: this.enabled,
      MemUsedMin: this.active.memUsedMin,
      MemUsedMax: this.active.memUsedMax,
      GpuUsed: this.active.gpuUsed,
      CpuUse: this.active.cpuUse,
      TaskCounts: counts.toJSON(),
    }
  }

  async #read(pathsVersion: number): Promise<void> {
    const { api } = this.connection
    const now = this.#clock.monotonicMs()
    const who = `worker ${this.hostname}`
    const [tasks, paths] = await within(
      Promise.all([api.TaskTypes(), api.Paths()]),
      ANSWER_MS,
      this.#clock,
      who,
    )
    const ids = new Set(paths.map((path) => path.ID))
    const samePaths = ids.size === this.#known.paths.size && [...ids].every((id) => this.#known.paths.has(id))
    const isFresh = samePaths && now < this.#known.tiersUntilMs
    const { tiers, untilMs } = isFresh
      ? { tiers: this.#known.tiers, untilMs: this.#known.tiersUntilMs }
      : await this.#readTiers(now)
    this.#known = {
      tasks: new Set(Object.keys(tasks)),
      paths: ids,
      tiers,
      readAtMs: now,
      pathsVersion,
      tiersUntilMs: untilMs,
    }
  }

  /** Trying a slow filesystem may take longer than an answer may: until it has one, moves count as copies. */
  async #readTiers(now: number): Promise<{ tiers: ReadonlyMap<string, Tier>; untilMs: number }> {
    const untilMs = now + TIERS_KEEP_MS
    if (this.connection.info === null) return { tiers: new Map(), untilMs }
    try {
      const question = this.connection.api.StorageTiers()
      const answer = await within(question, ANSWER_MS, this.#clock, `worker ${this.hostname}`)
      return { tiers: new Map(answer.map(({ from, to, tier }) => [`${from} ${to}`, tier])), untilMs }
    } catch (error) {
      if (isUnknownMethod(error)) return { tiers: new Map(), untilMs }
      return { tiers: this.#known.tiers, untilMs: now + TIERS_RETRY_MS }
    }
  }
}

/** Worker API 1.7 (lotus since v1.23) or 1.6 (venus, lotus v1.17 to v1.22). */
function checkVersion(version: number): void {
  const [major, minor] = [version >> 16, (version >> 8) & 0xff]
  if (major === 1 && (minor === 7 || minor === 6)) return
  const older = major < 1 || (major === 1 && minor < 6) ? 'worker' : 'sealer'
  throw new SchedulerError({
    code: 'WORKER_VERSION',
    level: 'permanent',
    message: `the worker speaks worker API ${major}.${minor}, this sealer speaks 1.7 and 1.6: upgrade the ${older}`,
  })
}

/** One line for a log. */
export function workerWords(worker: ConnectedWorker): Record<string, unknown> {
  return {
    worker: worker.id,
    hostname: worker.hostname,
    tasks: [...worker.tasks].map((task) => taskCode(task)).sort(),
    paths: [...worker.paths],
  }
}

/** Two runs of one node: it was started again under its old address. */
export function isSameNode(a: ConnectedWorker, b: ConnectedWorker): boolean {
  const [first, second] = [a.connection.info, b.connection.info]
  return first !== null && second !== null && first.url === second.url && first.machine === second.machine
}
