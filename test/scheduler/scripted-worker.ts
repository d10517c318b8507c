import { randomUUID } from 'node:crypto'
import type { ReturnApi, WorkerApi } from '../../src/protocol/apis.ts'
import type { WorkerConnection } from '../../src/protocol/connections.ts'
import { ConnectionError } from '../../src/protocol/errors.ts'
import {
  type CallError,
  type CallId,
  type NodeInfo,
  type PathTier,
  WORKER_API_VERSION,
  type WorkerInfo,
} from '../../src/protocol/types.ts'
import type { SectorIndex } from '../../src/sector-index/sector-index.ts'
import { FILE_TYPE_BIT, type FileTypeBits, fileTypesOf } from '../../src/sectors/file-types.ts'
import type { SectorId, SectorRef } from '../../src/sectors/sector-id.ts'
import { TASK, type TaskCode } from '../../src/sectors/task-types.ts'
import { machine } from './decide-tables.ts'

const UNSEALED = FILE_TYPE_BIT.unsealed
const SEALED_AND_CACHE = FILE_TYPE_BIT.sealed | FILE_TYPE_BIT.cache

export interface ScriptedOptions {
  readonly name: string
  readonly seal: string | null
  readonly stores: readonly string[]
  readonly tiers?: readonly PathTier[]
  readonly tasks?: readonly TaskCode[]
  readonly info?: WorkerInfo
  readonly session?: string
  readonly machine?: string
  /** A lotus worker: it knows the field's methods only. */
  readonly stranger?: boolean
  /** Tasks end as soon as they begin; else the test ends them. */
  readonly auto?: boolean
}

/** One call that the worker has taken and not answered. */
export interface Taken {
  readonly method: string
  readonly id: CallId
  readonly sector: SectorRef
  readonly params: readonly unknown[]
}

const ALL: readonly TaskCode[] = ['AP', 'PC1', 'PC2', 'C1', 'C2', 'FIN', 'FUS', 'GET', 'UNS']
const CID = { '/': 'baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq' }

const VALUES: Readonly<Record<string, unknown>> = {
  AddPiece: { Size: 2048, PieceCID: CID },
  SealPreCommit1: Buffer.from('pc1').toString('base64'),
  SealPreCommit2: { Unsealed: CID, Sealed: CID },
  SealCommit1: Buffer.from('c1').toString('base64'),
  SealCommit2: Buffer.from('proof').toString('base64'),
}

/** A worker that does what tasks do to the index, and no more. */
export class ScriptedWorker {
  readonly session: string
  readonly options: ScriptedOptions
  readonly connection: WorkerConnection
  /** Everything it was asked to do, in order: `PC1 3`. */
  readonly log: string[] = []
  readonly pushed: string[] = []
  readonly pushIds: string[] = []
  taken: Taken[] = []
  returns: ReturnApi | null = null
  sessionError: Error | null = null
  refuses = new Set<string>()
  /** Methods that it takes, and whose answer does not arrive. */
  losesAnswer = new Set<string>()
  /** Its disk hangs when something is to be removed. */
  hangsOnRemove = false
  closed = 0
  version = WORKER_API_VERSION
  readonly #index: SectorIndex

  constructor(options: ScriptedOptions, index: SectorIndex) {
    this.options = options
    this.session = options.session ?? randomUUID()
    this.#index = index
    this.connection = {
      api: this.#api(),
      info: options.stranger === true ? null : this.#nodeInfo(),
      pushFile: async (uuid, file, bytes) => {
        this.pushed.push(`${file} ${bytes}`)
        this.pushIds.push(uuid)
      },
      close: () => {
        this.closed++
      },
    }
  }

  get paths(): string[] {
    return [...(this.options.seal === null ? [] : [this.options.seal]), ...this.options.stores]
  }

  /** Calls of a method, oldest first. */
  takenOf(method: string, sector?: number): Taken[] {
    return this.taken.filter(
      (each) => each.method === method && (sector === undefined || each.sector.ID.Number === sector),
    )
  }

  /** Ends a call as the worker would: files first, then the result. */
  async finish(call: Taken, error: CallError = null): Promise<void> {
    this.taken = this.taken.filter((each) => each !== call)
    if (error === null) await this.#effects(call)
    await this.handIn(call, error)
  }

  async handIn(call: Taken, error: CallError = null): Promise<void> {
    const method = this.returns?.[`Return${call.method}` as keyof ReturnApi] as (
      ...params: unknown[]
    ) => Promise<void>
    const value = VALUES[call.method]
    await method(
      ...(value === undefined ? [call.id, error] : [call.id, error === null ? value : null, error]),
    )
  }

  #nodeInfo(): NodeInfo {
    const { name } = this.options
    const node = this.options.machine ?? name
    const url = `http://${name}:3456`
    return {
      kind: 'worker',
      name,
      version: '0',
      session: this.session,
      machine: node,
      url,
      executor: 'scripted',
    }
  }

  #api(): WorkerApi {
    const take =
      (method: string, code: string) =>
      async (sector: SectorRef, ...params: unknown[]) =>
        this.#take(method, code, sector, params)
    const api = {
      Version: async () => this.version,
      ProcessSession: async () => this.session,
      Session: async () => {
        if (this.sessionError !== null) throw this.sessionError
        return this.session
      },
      Info: async () => ({ ...(this.options.info ?? machine()), Hostname: this.options.name }),
      TaskTypes: async () => Object.fromEntries((this.options.tasks ?? ALL).map((code) => [TASK[code], {}])),
      Paths: async () =>
        this.paths.map((ID) => ({
          ID,
          Weight: 10,
          LocalPath: `/${ID}`,
          CanSeal: ID === this.options.seal,
          CanStore: ID !== this.options.seal,
        })),
      StorageTiers: async () => [...(this.options.tiers ?? [])],
      Remove: async (sector: SectorId) =>
        this.hangsOnRemove ? new Promise<void>(() => undefined) : this.#remove(sector),
      AddPiece: take('AddPiece', 'AP'),
      SealPreCommit1: take('SealPreCommit1', 'PC1'),
      SealPreCommit2: take('SealPreCommit2', 'PC2'),
      SealCommit1: take('SealCommit1', 'C1'),
      SealCommit2: take('SealCommit2', 'C2'),
      FinalizeSector: take('FinalizeSector', 'FIN'),
      ReleaseUnsealed: take('ReleaseUnsealed', 'FUS'),
      MoveStorage: take('MoveStorage', 'GET'),
      UnsealPiece: take('UnsealPiece', 'UNS'),
      Fetch: take('Fetch', 'Fetch'),
    }
    return api as unknown as WorkerApi
  }

  #take(method: string, code: string, sector: SectorRef, params: readonly unknown[]): CallId {
    if (this.refuses.has(method)) throw new Error(`${this.options.name} does not want ${method}`)
    this.log.push(`${code} ${sector.ID.Number}`)
    const call = { method, id: { Sector: sector.ID, ID: randomUUID() }, sector, params }
    this.taken.push(call)
    if (this.losesAnswer.has(method)) throw new ConnectionError({ message: 'the line broke' })
    if (this.options.auto === true) setImmediate(() => void this.finish(call))
    return call.id
  }

  async #effects({ method, sector, params }: Taken): Promise<void> {
    const { ID } = sector
    const { seal, stores } = this.options
    if (method === 'AddPiece' || method === 'UnsealPiece') await this.#declare(seal, ID, UNSEALED)
    if (method === 'SealPreCommit1') await this.#declare(seal, ID, SEALED_AND_CACHE)
    if (method === 'ReleaseUnsealed') {
      for (const path of this.paths) await this.#index.StorageDropSector(path, ID, UNSEALED)
    }
    if (method === 'Fetch') {
      const [bits, kind, mode] = params as [FileTypeBits, string, string]
      await this.#bring(ID, this.#lacking(ID, bits), kind === 'sealing' ? seal : (stores[0] ?? null), mode)
    }
    if (method === 'MoveStorage') await this.#bring(ID, params[0] as FileTypeBits, stores[0] ?? null, 'move')
  }

  #lacking(sector: SectorId, bits: FileTypeBits): FileTypeBits {
    const here = this.#index
      .view()
      .holdings(sector)
      .filter((each) => this.paths.includes(each.pathId))
    return here.reduce((left, each) => left & ~each.bits, bits)
  }

  async #bring(sector: SectorId, bits: FileTypeBits, to: string | null, mode: string): Promise<void> {
    const holdings = this.#index.view().holdings(sector)
    await this.#declare(to, sector, bits)
    if (mode !== 'move') return
    for (const each of holdings.filter((holding) => holding.pathId !== to)) {
      await this.#index.StorageDropSector(each.pathId, sector, bits)
    }
  }

  async #declare(path: string | null, sector: SectorId, bits: FileTypeBits): Promise<void> {
    if (path === null) throw new Error(`${this.options.name} has no path for ${fileTypesOf(bits).join()}`)
    if (bits !== 0) await this.#index.StorageDeclareSector(path, sector, bits, true)
  }

  async #remove(sector: SectorId): Promise<void> {
    this.log.push(`Remove ${sector.Number}`)
    for (const path of this.paths) {
      await this.#index.StorageDropSector(path, sector, UNSEALED | SEALED_AND_CACHE)
    }
  }
}
