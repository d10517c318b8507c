import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { IndexApi } from '../../src/protocol/apis.ts'
import { SectorIndex } from '../../src/sector-index/sector-index.ts'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import type { CachePhase } from '../../src/sectors/cache-files.ts'
import type { SectorFileType } from '../../src/sectors/file-types.ts'
import { sealProof } from '../../src/sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../../src/sectors/sector-id.ts'
import { openSealerState, openWorkerState } from '../../src/state/open.ts'
import type { Publications } from '../../src/storage/declarations.ts'
import { type InitOptions, initStoragePath } from '../../src/storage/init-storage-path.ts'
import { STORAGE_DEFAULTS } from '../../src/storage/parts.ts'
import { DurableReservations } from '../../src/storage/reservation-store.ts'
import { SpaceAccount } from '../../src/storage/space-account.ts'
import { Storage, type StorageOptions } from '../../src/storage/storage.ts'

/** StackedDrg2KiBV1_1. */
export const PROOF_2K = 5

export function sector(number: number): SectorRef {
  return { ID: { Miner: 1000, Number: number }, ProofType: PROOF_2K }
}

export interface PathAtHand {
  readonly id: string
  readonly directory: string
  fileOf(type: SectorFileType, of: SectorRef): string
}

/** What a node's front door would serve. */
export class Published implements Publications {
  readonly files = new Map<string, string>()

  publish(pathId: string, type: SectorFileType, name: string, path: string): void {
    this.files.set(`${pathId} ${type}/${name}`, path)
  }

  unpublish(pathId: string, type: SectorFileType, name: string): void {
    this.files.delete(`${pathId} ${type}/${name}`)
  }
}

/** An index and an account of space with real state files, and as many nodes as a test wants to start. */
export class ClusterAtHand {
  readonly clock = new FakeClock()
  readonly directory: string
  readonly index: SectorIndex
  readonly account: SpaceAccount
  readonly #t: ExecutionContext<unknown>

  private constructor(
    t: ExecutionContext<unknown>,
    directory: string,
    index: SectorIndex,
    account: SpaceAccount,
  ) {
    this.#t = t
    this.directory = directory
    this.index = index
    this.account = account
  }

  static async make(t: ExecutionContext<unknown>): Promise<ClusterAtHand> {
    const directory = await mkdtemp(join(tmpdir(), 'sealyard-storage-'))
    const state = await openSealerState(join(directory, 'sealer.sqlite'))
    const clock = new FakeClock()
    const index = await SectorIndex.open({ db: state.db, clock, log: silentLogger })
    const store = new DurableReservations(state.db, clock)
    const account = new SpaceAccount({ store, clock, log: silentLogger, floorBytes: 0 })
    t.teardown(async () => {
      await index.close()
      await state.close()
      await rm(directory, { recursive: true })
    })
    return new ClusterAtHand(t, directory, index, account)
  }

  async makePath(
    name: string,
    use: 'seal' | 'store' | 'both',
    rest: Partial<InitOptions> = {},
  ): Promise<PathAtHand> {
    const directory = name.startsWith('/') ? name : join(this.directory, name)
    const { ID } = await initStoragePath(directory, {
      weight: 10,
      canSeal: use !== 'store',
      canStore: use !== 'seal',
      maxStorageBytes: 0,
      groups: [],
      allowTo: [],
      ...rest,
    })
    return { id: ID, directory, fileOf: (type, of) => join(directory, type, sectorName(of.ID)) }
  }

  /** Starts a node; a second start with one name is a restart of it. Closed with the test. */
  async startNode(
    name: string,
    paths: readonly PathAtHand[],
    rest: Partial<Pick<StorageOptions, 'index' | 'url' | 'publications' | 'settings' | 'log'>> = {},
  ): Promise<Storage> {
    const repo = join(this.directory, name)
    await mkdir(repo, { recursive: true })
    if (paths.length > 0) {
      const list = { StoragePaths: paths.map((path) => ({ Path: path.directory })) }
      await writeFile(join(repo, 'storage.json'), JSON.stringify(list))
    }
    const state = await openWorkerState(join(repo, 'state.sqlite'))
    const storage = await Storage.open({
      repo,
      db: state.db,
      index: this.index,
      space: this.account,
      publications: new Published(),
      url: `http://${name}:3456/remote`,
      machine: 'machine',
      owner: `machine ${name}`,
      fetchToken: async () => 'token',
      settings: { ...STORAGE_DEFAULTS, fetchRetryMs: 1 },
      clock: this.clock,
      log: silentLogger,
      ...rest,
    })
    this.#t.teardown(async () => {
      await storage.close(0)
      await state.close()
    })
    return storage
  }

  /** IDs of the paths that the index says hold a file, the primary ones marked with `*`. */
  async holders(of: SectorRef, bit: number): Promise<string[]> {
    const found = await this.index.StorageFindSector(of.ID, bit, 0, false)
    return found.map((path) => `${path.ID}${path.Primary ? '*' : ''}`).sort()
  }
}

/** Lets time pass until something outside this process (inotify, a disk) has had its effect. */
export async function until(clock: FakeClock, isSo: () => Promise<boolean>): Promise<boolean> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (await isSo()) return true
    await clock.advance(500)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return false
}

/** An index that fails where a test says so: as when the sealer goes away between two steps. */
export function failingIndex(index: IndexApi, failing: { method: keyof IndexApi | null }): IndexApi {
  return new Proxy(index, {
    get(target, name) {
      const method = Reflect.get(target, name) as unknown
      if (typeof method !== 'function') return method
      return (...params: unknown[]) => {
        if (name === failing.method) return Promise.reject(new Error('the sealer is away'))
        return Reflect.apply(method, target, params) as unknown
      }
    },
  })
}

/** An index that is asked only after a test has done something. */
export function hookedIndex(
  index: IndexApi,
  before: (method: keyof IndexApi, params: unknown[]) => Promise<void>,
): IndexApi {
  return new Proxy(index, {
    get(target, name) {
      const method = Reflect.get(target, name) as unknown
      if (typeof method !== 'function') return method
      return async (...params: unknown[]) => {
        await before(name as keyof IndexApi, params)
        return Reflect.apply(method, target, params) as unknown
      }
    },
  })
}

/** Bytes that tell one file from another. */
export function content(seed: number, length = 2048): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (seed * 31 + at * 7) % 251))
}

export async function writeSealed(path: PathAtHand, of: SectorRef): Promise<Buffer> {
  const bytes = content(of.ID.Number)
  await mkdir(join(path.directory, 'sealed'), { recursive: true })
  await writeFile(path.fileOf('sealed', of), bytes)
  return bytes
}

/** A cache directory with the files of a phase, of the right sizes. */
export async function writeCache(path: PathAtHand, of: SectorRef, phase: CachePhase): Promise<string[]> {
  const directory = path.fileOf('cache', of)
  await mkdir(directory, { recursive: true })
  const files = cacheFileBytes(sealProof(of.ProofType), phase)
  for (const [name, size] of files) {
    await writeFile(join(directory, name), name)
    await truncate(join(directory, name), size)
  }
  return [...files.keys()].sort()
}
