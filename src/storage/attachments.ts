import PQueue from 'p-queue'
import { describeError } from '../base/errors.ts'
import { FILE_TYPES, fileTypesOf, type SectorFileType } from '../sectors/file-types.ts'
import { parseSectorName, type SectorId } from '../sectors/sector-id.ts'
import { storageError } from './errors.ts'
import { KeyedLock } from './keyed-lock.ts'
import { clearLeftovers } from './leftovers.ts'
import { nameForeign, openPath } from './open-path.ts'
import type { StorageParts } from './parts.ts'
import { scanTypeDirectory } from './scan-path.ts'
import { readStorageMeta, storageInfoOf } from './sector-store.ts'
import { locate, type StorageJson } from './storage-json.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

/** Declares at a time; lotus does thousands one after another. */
const DECLARES_AT_A_TIME = 8

/** How paths come to this node, are compared with the index, and go. */
export class Attachments {
  readonly #parts: StorageParts
  readonly #json: StorageJson
  /** What opens and forgets paths takes turns: a path is in `storage.json` a moment after it is open. */
  readonly #turns = new KeyedLock()
  /** All paths were taken out of the index on purpose: nothing brings them back but an operator. */
  #isDetached = false

  constructor(parts: StorageParts, json: StorageJson) {
    this.#parts = parts
    this.#json = json
  }

  /** Attaches a directory and remembers it. @throws StorageError BAD_METAFILE, DUPLICATE_PATH */
  async attach(written: string): Promise<void> {
    await this.#turns.run('paths', async () => {
      this.#isDetached = false
      await this.#open(written)
      await this.#json.add(written)
    })
  }

  /** Opens a directory that `storage.json` lists: identity first, then the index, then its files. */
  async #open(written: string): Promise<StoragePath> {
    const { paths, tiers, log } = this.#parts
    const path = await openPath(written)
    paths.add(path)
    tiers.forget(path.id)
    await clearLeftovers(this.#parts, path)
    try {
      await this.#introduce(path)
    } catch (error) {
      paths.remove(path.id)
      throw error
    }
    log.info('storage path attached', { storagePath: path.id, directory: path.directory })
    return path
  }

  /** Makes the open paths those of `storage.json`, after an operator's edit. Each path fails for itself. */
  async followStorageJson(): Promise<void> {
    await this.#turns.run('paths', () => this.#follow())
  }

  async #follow(): Promise<void> {
    if (this.#isDetached) return
    const { paths, log } = this.#parts
    const written = await this.#json.paths()
    for (const path of paths.all()) {
      if (!written.includes(path.written)) await this.#forget(path)
    }
    for (const each of written) {
      if (paths.byWritten(each) !== null) continue
      await this.#open(each).catch((error: unknown) => {
        log.error('a storage path cannot be attached; it is tried again', {
          path: each,
          error: describeError(error),
        })
      })
    }
  }

  /** Takes a directory off this node; its files stay. @throws StorageError UNKNOWN_PATH */
  async detach(written: string): Promise<void> {
    await this.#turns.run('paths', () => this.#detach(written))
  }

  async #detach(written: string): Promise<void> {
    const { paths } = this.#parts
    const path = paths.byWritten(written) ?? paths.all().find((each) => each.directory === locate(written))
    if (path === undefined) {
      throw storageError({
        code: 'UNKNOWN_PATH',
        level: 'permanent',
        message: `${written} is not attached here; attached are: ${
          paths
            .all()
            .map((each) => each.written)
            .join(', ') || 'none'
        }`,
        storagePath: written,
      })
    }
    if (path.inTheMaking.size > 0) {
      throw storageError({
        code: 'BUSY',
        level: 'temporary',
        message: `${written} is being written to (${[...path.inTheMaking.keys()].join(', ')}): wait, or stop the work first`,
        storagePath: path.id,
      })
    }
    await this.#forget(path)
    await this.#json.remove(path.written)
  }

  /** Takes all own URLs out of the index; the paths stay in `storage.json`. */
  async detachAll(): Promise<void> {
    await this.#turns.run('paths', async () => {
      this.#isDetached = true
      for (const path of this.#parts.paths.all()) await this.#forget(path)
    })
  }

  /**
   * Reads metafiles again, attaches, and declares what the disks hold.
   * @param id one path, or null for all
   * @param dropMissing also drop what the index believes to be here and is not
   */
  async redeclare(id: string | null, dropMissing: boolean): Promise<void> {
    const { paths } = this.#parts
    for (const path of id === null ? paths.all() : [paths.get(id)]) {
      await this.#introduce(path)
      if (dropMissing) await this.#dropWhatIsMissing(path)
    }
  }

  /** Something changed in one type directory, perhaps: declares what came, drops what we saw there before. */
  async rescan(path: StoragePath, type: SectorFileType): Promise<void> {
    const found = await scanTypeDirectory(path.directory, type)
    nameForeign(this.#parts.log, path, type, found.foreign)
    const here = new Set(found.sectors.map((sector) => relativeName(type, sector)))
    const isNews = (sector: SectorId) => !path.announced.has(relativeName(type, sector))
    await this.#declareAll(path, type, found.sectors.filter(isNews))

    // A directory of an unmounted disk is empty: before anything is dropped the path proves who it is.
    const gone = [...path.announced].filter((name) => name.startsWith(`${type}/`) && !here.has(name))
    if (gone.length === 0) return
    await path.assertIdentity()
    for (const name of gone) {
      const sector = parseSectorName(name.slice(type.length + 1))
      if (sector === null || path.inTheMaking.has(name)) continue
      this.#parts.log.info('sector file is gone', { storagePath: path.id, file: name })
      await this.#parts.declarations.drop(path, type, sector)
    }
  }

  /** Every path, every type: what no watcher told. Paths that could not be opened are tried again. */
  async reconcile(): Promise<void> {
    await this.followStorageJson()
    for (const path of this.#parts.paths.usable()) {
      for (const type of FILE_TYPES) {
        await this.rescan(path, type).catch((error: unknown) => {
          this.#parts.log.warn('a storage path could not be compared', {
            storagePath: path.id,
            error: describeError(error),
          })
        })
      }
    }
  }

  async #introduce(path: StoragePath): Promise<void> {
    const { index, views, grants, log, url } = this.#parts
    const meta = await readStorageMeta(path.directory)
    if (meta.ID !== path.id) {
      path.parked = `its ID is now ${meta.ID}, it was ${path.id}`
      throw path.parkedError()
    }
    path.meta = meta
    await index.StorageAttach(
      storageInfoOf(meta, url),
      await views.statOf(path, await grants.reservedOn(path)),
    )
    for (const type of FILE_TYPES) {
      const found = await scanTypeDirectory(path.directory, type)
      nameForeign(log, path, type, found.foreign)
      await this.#declareAll(path, type, found.sectors)
    }
  }

  async #declareAll(path: StoragePath, type: SectorFileType, sectors: readonly SectorId[]): Promise<void> {
    const queue = new PQueue({ concurrency: DECLARES_AT_A_TIME })
    const whole = sectors.filter((sector) => !path.inTheMaking.has(relativeName(type, sector)))
    await queue.addAll(
      // What lies in a store path is the copy of record.
      whole.map((sector) => () => this.#parts.declarations.declare(path, type, sector, path.meta.CanStore)),
    )
  }

  async #dropWhatIsMissing(path: StoragePath): Promise<void> {
    const { index, declarations } = this.#parts
    const believed = (await index.StorageList())[path.id] ?? []
    await path.assertIdentity()
    const here = new Map(
      await Promise.all(
        FILE_TYPES.map(async (type) => [type, await scanTypeDirectory(path.directory, type)] as const),
      ),
    )
    for (const { SectorFileType: bits, ...sector } of believed) {
      for (const type of fileTypesOf(bits)) {
        const isHere = here
          .get(type)
          ?.sectors.some((each) => each.Miner === sector.Miner && each.Number === sector.Number)
        if (!isHere && !path.inTheMaking.has(relativeName(type, sector)))
          await declarations.drop(path, type, sector)
      }
    }
  }

  async #forget(path: StoragePath): Promise<void> {
    const { index, declarations, paths, tiers, log, url } = this.#parts
    for (const name of [...path.announced]) {
      const [type, sectorName] = name.split('/') as [SectorFileType, string]
      const sector = parseSectorName(sectorName)
      if (sector !== null) declarations.hide(path, type, sector)
    }
    await index.StorageDetach(path.id, url).catch((error: unknown) => {
      log.warn('the index could not be told that a path is detached', {
        storagePath: path.id,
        error: describeError(error),
      })
    })
    paths.remove(path.id)
    tiers.forget(path.id)
    log.info('storage path detached', { storagePath: path.id, directory: path.directory })
  }
}
