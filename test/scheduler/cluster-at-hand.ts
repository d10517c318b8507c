import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { Log } from '../../src/base/log.ts'
import type { StorageInfo } from '../../src/protocol/types.ts'
import { Scheduler } from '../../src/scheduler/scheduler.ts'
import { SectorIndex } from '../../src/sector-index/sector-index.ts'
import type { SectorRef } from '../../src/sectors/sector-id.ts'
import { openSealerState } from '../../src/state/open.ts'
import { fsStat, pathInfo, TIB } from '../sector-index/index-at-hand.ts'
import { PROOF_32G } from './decide-tables.ts'
import { type ScriptedOptions, ScriptedWorker } from './scripted-worker.ts'

export const MINER = 1005
export const sectorOf = (number: number): SectorRef => ({
  ID: { Miner: MINER, Number: number },
  ProofType: PROOF_32G,
})

export interface ClusterSpec {
  readonly paths: Readonly<Record<string, Partial<StorageInfo>>>
  readonly disallowRemoteFinalize?: boolean
  readonly policyFile?: string
}

/** A scheduler over a real state file, an index with paths, and workers made of script. */
export class Cluster {
  readonly clock = new FakeClock()
  readonly lines: string[] = []
  /** The log with its fields. */
  readonly entries: Record<string, unknown>[] = []
  readonly workers: ScriptedWorker[] = []
  readonly #file: string
  readonly #spec: ClusterSpec
  #open: {
    state: Awaited<ReturnType<typeof openSealerState>>
    index: SectorIndex
    scheduler: Scheduler
  } | null = null

  private constructor(file: string, spec: ClusterSpec) {
    this.#file = file
    this.#spec = spec
  }

  static async start(t: ExecutionContext, spec: ClusterSpec): Promise<Cluster> {
    const directory = await mkdtemp(join(tmpdir(), 'sealyard-scheduler-'))
    const cluster = new Cluster(join(directory, 'state.sqlite'), spec)
    t.teardown(async () => {
      await cluster.stop()
      await rm(directory, { recursive: true })
    })
    await cluster.start()
    return cluster
  }

  get scheduler(): Scheduler {
    return this.#parts.scheduler
  }

  get tasks(): Scheduler['tasks'] {
    return this.scheduler.tasks
  }

  get index(): SectorIndex {
    return this.#parts.index
  }

  get db() {
    return this.#parts.state.db
  }

  /** Opens everything, as after a restart; workers have to connect again. */
  async start(): Promise<void> {
    const state = await openSealerState(this.#file)
    const log = new Log({
      format: 'json',
      level: 'debug',
      write: (line) => {
        const entry = JSON.parse(line) as { msg: string }
        this.entries.push(entry)
        this.lines.push(entry.msg)
      },
    })
    const index = await SectorIndex.open({ db: state.db, clock: this.clock, log: log.logger('stores') })
    const scheduler = await Scheduler.open({
      db: state.db,
      index,
      policyFile: this.#spec.policyFile ?? '',
      disallowRemoteFinalize: this.#spec.disallowRemoteFinalize ?? false,
      clock: this.clock,
      log,
    })
    this.#open = { state, index, scheduler }
    for (const [id, rules] of Object.entries(this.#spec.paths)) {
      await index.StorageAttach(pathInfo(id, rules), fsStat(8 * TIB))
    }
  }

  async stop(): Promise<void> {
    if (this.#open === null) return
    const { state, index, scheduler } = this.#open
    this.#open = null
    await scheduler.close(1000)
    await index.close()
    await state.close()
  }

  async connect(options: ScriptedOptions): Promise<ScriptedWorker> {
    const worker = new ScriptedWorker(options, this.index)
    this.workers.push(worker)
    await this.reconnect(worker)
    return worker
  }

  async reconnect(worker: ScriptedWorker): Promise<void> {
    worker.returns = this.scheduler.returns
    await this.scheduler.connect(worker.connection)
  }

  /** Paths that hold anything of a sector, with the or-ed types. */
  held(number: number): Record<string, number> {
    const holdings = this.index.view().holdings(sectorOf(number).ID)
    return Object.fromEntries(holdings.map((each) => [each.pathId, each.bits]))
  }

  get #parts() {
    if (this.#open === null) throw new Error('the cluster is stopped')
    return this.#open
  }
}

/** Lets everything run that is due, until something holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (holds()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`it never came to this: ${what}`)
}

/** Lets everything run that is due. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}
