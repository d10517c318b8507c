import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Chain } from '../chain/chain.ts'
import type { IndexApi, SealerApi } from '../protocol/apis.ts'
import type { ReaderSource } from '../protocol/connections.ts'
import type { SectorTasks } from '../scheduler/sector-tasks.ts'
import { proofTypeForSize } from '../sectors/proof-types.ts'
import type { SealerTables } from '../state/tables.ts'
import type { NodeStorage } from '../storage/node-storage.ts'
import { type AddSectorTools, addedAnswer, addSector, pledgeSector } from './add-sector.ts'
import { Commit1Files } from './commit1-files.ts'
import { commit2Input, importProof, takeUpCommit2 } from './commit2-calls.ts'
import { DeferredCommit2 } from './deferred-commit2.ts'
import { stopped } from './errors.ts'
import { Lives } from './lives.ts'
import { pauseSector, resumeSector, retrySector } from './pausing.ts'
import { proveWindowPost } from './prove-window-post.ts'
import { readPiece } from './read-piece.ts'
import { removeSector, unsealSector } from './sector-calls.ts'
import { isProofAwaited, type SectorRecord } from './sector-record.ts'
import { isAtRest } from './sector-state.ts'
import { lineOf, type Surroundings, statusOf } from './sector-status.ts'
import { SectorStore } from './sector-store.ts'
import { Staging } from './staging.ts'
import type { SealerExecutor, StepTools } from './step.ts'
import { wantedWork } from './wanted-work.ts'
import { WORKERS_BACK_MS, waitsForWorkersUntil } from './workers-back.ts'

export interface PipelineOptions {
  readonly db: Kysely<SealerTables>
  readonly tasks: SectorTasks
  readonly index: Pick<IndexApi, 'StorageFindSector' | 'StorageList'>
  /** The sealer's own paths. */
  readonly storage: Pick<NodeStorage, 'find' | 'fetch' | 'allocated'>
  readonly executor: SealerExecutor
  readonly chain: Chain
  readonly readers: ReaderSource
  readonly miner: number
  readonly sectorSize: number
  readonly repo: string
  /** Of new sectors: whether the unsealed copy stays when they are finalized. */
  readonly keepUnsealed: boolean
  /** How long a failed state waits before it is tried again. */
  readonly minRetryMs: number
  /** How long after a start C2 waits for the worker that can run it, before it is deferred; 20 s by default. */
  readonly workersBackMs?: number
  /** For `/remote` of the cluster's nodes. */
  readonly token: () => Promise<string>
  readonly clock: Clock
  readonly log: Logger
}

export type PipelineApi = Pick<
  SealerApi,
  | 'PledgeSector'
  | 'SectorsList'
  | 'SectorsStatus'
  | 'SectorLines'
  | 'SectorsSummary'
  | 'SectorUnseal'
  | 'SectorRemove'
  | 'SectorAdd'
  | 'Commit2Input'
  | 'Commit2'
  | 'ImportProof'
  | 'SectorRetry'
  | 'SectorPause'
  | 'SectorResume'
  | 'ProveWindowPost'
  | 'ReadPiece'
>

/** All sectors of one miner: their lives, and what may be asked of them. */
export class Pipeline {
  readonly api: PipelineApi
  readonly #options: PipelineOptions
  readonly #tools: StepTools
  readonly #lives: Lives
  readonly #closing = new AbortController()
  readonly #deferred: DeferredCommit2
  readonly #calls = new Set<Promise<unknown>>()

  private constructor(options: PipelineOptions, tools: StepTools) {
    this.#options = options
    this.#tools = tools
    const { clock, log, minRetryMs } = options
    this.#lives = new Lives({ tools, clock, log, minRetryMs })
    const { signal } = this.#closing
    this.#deferred = new DeferredCommit2({ tools, lives: this.#lives, clock, log, signal })
    this.api = {
      ...this.#askedOfState(),
      ...this.#askedOfSectors(),
      ...this.#askedToStop(),
      ...this.#askedOfFiles(),
    }
  }

  /** Opens it with what an earlier run knew: every sector that does not rest goes on from its state. */
  static async open(options: PipelineOptions): Promise<Pipeline> {
    const { db, miner, clock, repo, tasks, chain, executor } = options
    const store = new SectorStore(db, miner, clock)
    const sectors = await store.list()
    const staged = new Set(sectors.flatMap((record) => record.staging ?? []))
    const staging = await Staging.open(repo, staged)
    const commit1Files = await Commit1Files.open(repo)
    const workersBackMs = options.workersBackMs ?? WORKERS_BACK_MS
    const opened = {
      at: clock.now(),
      workersBackMs,
      workersBackByMs: clock.monotonicMs() + workersBackMs,
    }
    const tools = { tasks, chain, executor, store, staging, commit1Files, clock, opened }
    const pipeline = new Pipeline(options, tools)
    for (const record of sectors) await tasks.settle(record.id, wantedWork(record))
    for (const record of sectors) if (!isAtRest(record.state)) pipeline.#lives.start(record.id.Number)
    if (sectors.some(isProofAwaited)) pipeline.#deferred.look()
    return pipeline
  }

  /**
   * Takes no more calls and stops every sector where it is; work that runs on workers is found again at the
   * next start. Comes back when all is put down, or at the deadline.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#closing.abort(stopped())
    const putDown = new AbortController()
    const all = Promise.allSettled([this.#lives.close(), this.#deferred.ended(), ...this.#calls]).then(() =>
      putDown.abort(),
    )
    const late = this.#options.clock.sleep(deadlineMs, putDown.signal).then(
      () => this.#options.log.warn('sectors are stopped in the middle of a step', { deadlineMs }),
      () => undefined,
    )
    await Promise.race([all, late])
  }

  #askedOfState(): Pick<
    PipelineApi,
    'SectorsList' | 'SectorsSummary' | 'SectorsStatus' | 'SectorLines' | 'Commit2Input'
  > {
    const { store } = this.#tools
    return {
      SectorsList: () => store.numbers(),
      SectorsSummary: () => store.summary(),
      SectorsStatus: async (number) => {
        const record = await store.get(number)
        return statusOf(record, await store.events(number), await this.#around(record))
      },
      SectorLines: async () => {
        const [records, histories] = await Promise.all([store.list(), store.histories()])
        const line = async (record: SectorRecord) =>
          lineOf(record, histories.get(record.id.Number) ?? null, await this.#around(record))
        return Promise.all(records.map(line))
      },
      Commit2Input: (number) => commit2Input(number, this.#tools),
    }
  }

  async #around(record: SectorRecord): Promise<Surroundings> {
    const { commit1Files, chain } = this.#tools
    const { commit1File } = record
    return {
      workersAwaitedUntil: await waitsForWorkersUntil(record, this.#tools),
      offline: chain.offline,
      commit1Path: commit1File === null ? null : commit1Files.path(commit1File),
    }
  }

  #askedOfSectors(): Pick<
    PipelineApi,
    'PledgeSector' | 'SectorAdd' | 'SectorUnseal' | 'SectorRemove' | 'Commit2' | 'ImportProof'
  > {
    const tools = this.#tools
    const lives = this.#lives
    const adding = this.#addSectorTools()
    return {
      PledgeSector: () =>
        this.#call(async () => {
          const record = await pledgeSector(adding)
          lives.start(record.id.Number)
          return record.id
        }),
      SectorAdd: ({ pieces }) =>
        this.#call(async (signal) => {
          const record = await addSector(pieces, adding, signal)
          lives.start(record.id.Number)
          return addedAnswer(record)
        }),
      SectorUnseal: (number) => this.#call((signal) => unsealSector(number, tools, signal)),
      SectorRemove: (number) => this.#call((signal) => removeSector(number, tools, lives, signal)),
      Commit2: (number) => this.#call(() => takeUpCommit2(number, tools, lives)),
      ImportProof: (number, proof) =>
        this.#call((signal) => importProof(number, proof, tools, lives, signal)),
    }
  }

  #askedToStop(): Pick<PipelineApi, 'SectorRetry' | 'SectorPause' | 'SectorResume'> {
    const [tools, lives] = [this.#tools, this.#lives]
    return {
      SectorRetry: (number) => this.#call(() => retrySector(number, tools, lives)),
      SectorPause: (number) => this.#call(() => pauseSector(number, tools, lives)),
      SectorResume: (number) => this.#call(() => resumeSector(number, tools, lives)),
    }
  }

  #askedOfFiles(): Pick<PipelineApi, 'ProveWindowPost' | 'ReadPiece'> {
    const tools = { ...this.#options, ...this.#tools }
    return {
      ProveWindowPost: (numbers) => this.#call((signal) => proveWindowPost(numbers, tools, signal)),
      ReadPiece: (number, index, output) =>
        this.#call((signal) => readPiece(number, index, output, tools, signal)),
    }
  }

  #addSectorTools(): AddSectorTools {
    const { readers, sectorSize, keepUnsealed, executor, index, miner, log } = this.#options
    const { store, staging } = this.#tools
    return {
      store,
      staging,
      executor,
      readers,
      sectorSize,
      proofType: proofTypeForSize(sectorSize),
      keepUnsealed,
      highestHeld: () => highestHeld(index, miner),
      log,
    }
  }

  /** A call is given up when the pipeline closes, and none is taken after that. */
  async #call<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#closing
    signal.throwIfAborted()
    const running = run(signal)
    this.#calls.add(running)
    try {
      return await running
    } finally {
      this.#calls.delete(running)
    }
  }
}

/**
 * Attached paths may hold sectors that another program sealed. A new sector must not get one of their
 * numbers: PC1 begins by removing older files of its sector everywhere.
 */
async function highestHeld(index: Pick<IndexApi, 'StorageList'>, miner: number): Promise<number> {
  const held = Object.values(await index.StorageList()).flat()
  return held.reduce((highest, each) => (each.Miner === miner ? Math.max(highest, each.Number) : highest), 0)
}
