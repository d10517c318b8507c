import { lstat } from 'node:fs/promises'
import PQueue from 'p-queue'
import { describeError, errorCode, isSealyardError } from '../base/errors.ts'
import type { Declaration } from '../protocol/types.ts'
import { FILE_TYPES, fileTypesOf, type SectorFileType } from '../sectors/file-types.ts'
import { parseSectorName, type SectorId } from '../sectors/sector-id.ts'
import { storageError } from './errors.ts'
import { KeyedLock } from './keyed-lock.ts'
import { settleId } from './known-id.ts'
import { clearLeftovers } from './leftovers.ts'
import { isThere } from './local-paths.ts'
import { assertWritable, nameForeign, openPath, warnOfId } from './open-path.ts'
import type { StorageParts } from './parts.ts'
import { scanTypeDirectory } from './scan-path.ts'
import { readStorageMeta, storageInfoOf } from './sector-store.ts'
import { locate, type StorageJson } from './storage-json.ts'
import { relativeName, type StoragePath } from './storage-path.ts'
import { lengthWords, ofWrongLength } from './whole-files.ts'

/** Declares at a time; lotus does thousands one after another. */
const DECLARES_AT_A_TIME = 8

/** How paths come to this node, are compared with the index, and go. */
export class Attachments {
  readonly #parts: StorageParts
  readonly #json: StorageJson
  /** Of an earlier run of this node, when it had another. */
  readonly #formerUrl: string | null
  /** What opens and forgets paths takes turns: a path is in `storage.json` a moment after it is open. */
  readonly #turns = new KeyedLock()
  /** All paths were taken out of the index on purpose: nothing brings them back but an operator. */
  #isDetached = false

  constructor(parts: StorageParts, json: StorageJson, formerUrl: string | null) {
    this.#parts = parts
    this.#json = json
    this.#formerUrl = formerUrl
  }

  /** Attaches a directory and remembers it. @throws StorageError BAD_METAFILE, DUPLICATE_PATH */
  async attach(written: string): Promise<void> {
    await this.#turns.run('paths', async () => {
      // Refused before anything is opened: a list that cannot be read could not be added to.
      await this.#json.paths()
      const directory = locate(written)
      await this.#parts.patience.openingOf(directory, () => assertWritable(directory))
      const path = await this.#open(written)
      this.#isDetached = false
      await this.#json.add(written).catch(async (error: unknown) => {
        await this.#tryToForget(path)
        throw error
      })
    })
  }

  /** Opens a directory that `storage.json` lists: identity first, then the index, then its files. */
  async #open(written: string): Promise<StoragePath> {
    const { paths, tiers, engines, declarations, patience, log } = this.#parts
    const path = await patience.openingOf(locate(written), () => openPath(written))
    paths.assertNew(path)
    warnOfId(log, path)
    await settleId(this.#parts, path)
    // Before anybody may work there: what bears our mark is of an earlier run, for sure.
    await clearLeftovers(this.#parts, path)
    paths.add(path)
    tiers.forget(path.id)
    engines.forget(path.id)
    try {
      await this.#introduce(path)
    } catch (error) {
      declarations.forget(path)
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
    for (const path of paths.all().filter((each) => !written.includes(each.written))) {
      if (!path.isInUse) await this.#tryToForget(path)
      else {
        log.warn(
          'a storage path that is no longer listed is in use; it is detached when the work has ended',
          {
            storagePath: path.id,
            directory: path.directory,
          },
        )
      }
    }
    const opened: StoragePath[] = []
    for (const each of written) {
      if (paths.byWritten(each) !== null) continue
      await this.#open(each).then(
        (path) => opened.push(path),
        (error: unknown) => {
          log.error('a storage path cannot be attached; it is tried again', {
            path: each,
            error: describeError(error),
          })
        },
      )
    }
    if (opened.length > 0) await this.#dropWhatWentUntold(opened)
  }

  /** A stop between unlinking a file and telling the index leaves one there that nobody would look for again. */
  async #dropWhatWentUntold(opened: readonly StoragePath[]): Promise<void> {
    try {
      const believed = await this.#parts.index.StorageList()
      for (const path of opened) await this.#dropWhatIsMissing(path, believed[path.id])
    } catch (error) {
      this.#parts.log.warn('the index could not be compared with what is missing here', {
        error: describeError(error),
      })
    }
  }

  async #tryToForget(path: StoragePath): Promise<void> {
    await this.#forget(path).catch((error: unknown) => {
      this.#parts.log.warn(
        'a storage path is not detached yet: the index cannot be told; it is tried again',
        {
          storagePath: path.id,
          error: describeError(error),
        },
      )
    })
  }

  /** Takes a directory off this node; its files stay. @throws StorageError UNKNOWN_PATH, BUSY */
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
    if (path.isInUse) {
      const names = [...path.inTheMaking.keys()].join(', ')
      const use = names === '' ? 'is being read by running work' : `is being written to (${names})`
      throw storageError({
        code: 'BUSY',
        level: 'temporary',
        message: `${written} ${use}: wait, or stop the work first`,
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
   * @throws the first failure, once every path has had its turn
   */
  async redeclare(id: string | null, dropMissing: boolean): Promise<void> {
    // In turn with detaching: a path must not come back into the index after it has left.
    await this.#turns.run('paths', async () => {
      const { paths } = this.#parts
      const failures: unknown[] = []
      for (const path of id === null ? paths.all() : [paths.get(id)]) {
        try {
          await this.#introduce(path)
          if (dropMissing) {
            const believed = await this.#parts.index.StorageList()
            await this.#dropWhatIsMissing(path, believed[path.id])
          }
        } catch (error) {
          failures.push(error)
        }
      }
      if (failures.length > 0) throw failures[0]
    })
  }

  /** Something changed in one type directory, perhaps: declares what came, drops what we saw there before. */
  async rescan(path: StoragePath, type: SectorFileType): Promise<void> {
    const before = [...path.announced].filter((name) => name.startsWith(`${type}/`))
    const sectors = await this.#look(path, type)
    const here = new Set(sectors.map((sector) => relativeName(type, sector)))
    const isNews = (sector: SectorId) => !path.announced.has(relativeName(type, sector))
    await this.#declareAll(path, type, sectors.filter(isNews))

    // A directory of an unmounted disk is empty: before anything is dropped the path proves who it is.
    const gone = before.filter((name) => path.announced.has(name) && !here.has(name))
    if (gone.length === 0) return
    await path.assertPresent()
    for (const name of gone) {
      const sector = parseSectorName(name.slice(type.length + 1))
      if (sector === null || !(await this.#isGone(path, type, sector))) continue
      this.#parts.log.info('sector file is gone', { storagePath: path.id, file: name })
      await this.#parts.declarations.drop(path, type, sector)
    }
  }

  /** Every path, every type: what no watcher told. Paths that could not be opened are tried again. */
  async reconcile(): Promise<void> {
    await this.followStorageJson()
    for (const path of this.#parts.paths.present()) await this.rescanAll(path)
  }

  /** All of one path. Never throws. */
  async rescanAll(path: StoragePath): Promise<void> {
    for (const type of FILE_TYPES) {
      await this.rescan(path, type).catch((error: unknown) => {
        this.#parts.log.warn('a storage path could not be compared', {
          storagePath: path.id,
          error: describeError(error),
        })
      })
    }
  }

  /** Looked at once more: since the directory was read the file may have come, or be on its way. */
  async #isGone(path: StoragePath, type: SectorFileType, sector: SectorId): Promise<boolean> {
    const isAbsent = await lstat(path.fileOf(type, sector)).then(
      () => false,
      (error: unknown) => errorCode(error) === 'ENOENT',
    )
    return isAbsent && !path.inTheMaking.has(relativeName(type, sector))
  }

  async #introduce(path: StoragePath): Promise<void> {
    const { index, views, grants, url } = this.#parts
    await path.assertPresent()
    path.meta = await readStorageMeta(path.directory)
    const stat = await views.statOf(path, await grants.reservedOn(path))
    await index.StorageAttach(storageInfoOf(path.meta, url), stat)
    await this.#leaveFormerUrl(path)
    // The index takes a path that is attached for a well one.
    if (path.parked !== null) await index.StorageReportHealth(path.id, { Stat: stat, Err: path.parked })
    for (const type of FILE_TYPES) {
      await this.#declareAll(path, type, await this.#look(path, type))
    }
  }

  /** After the new URL is known: a path whose last URL goes is forgotten, with all it holds. */
  async #leaveFormerUrl(path: StoragePath): Promise<void> {
    const { index, log } = this.#parts
    if (this.#formerUrl === null) return
    await index.StorageDetach(path.id, this.#formerUrl).catch((error: unknown) => {
      // Most often it does not know it any more.
      log.debug('the index keeps an earlier URL of a storage path', {
        storagePath: path.id,
        url: this.#formerUrl,
        error: describeError(error),
      })
    })
  }

  /** What a type directory holds that may be declared; the rest is named in the log. */
  async #look(path: StoragePath, type: SectorFileType): Promise<SectorId[]> {
    const { log, settings } = this.#parts
    const { sectors, foreign } = await scanTypeDirectory(path.directory, type)
    nameForeign(log, path, type, foreign)
    const wrong = await ofWrongLength(path, type, sectors, settings.sealedLengths ?? [])
    if (wrong.length === 0) return sectors
    log.error(
      `${wrong.length} ${type} files have a length that no sector has and are not declared: half copied, or cut? ` +
        'Copy them anew, or remove them',
      { storagePath: path.id, files: wrong.slice(0, 10).map(lengthWords) },
    )
    const left = new Set(wrong.map(({ sector }) => sector))
    return sectors.filter((sector) => !left.has(sector))
  }

  async #declareAll(path: StoragePath, type: SectorFileType, sectors: readonly SectorId[]): Promise<void> {
    const queue = new PQueue({ concurrency: DECLARES_AT_A_TIME })
    await queue.addAll(
      sectors.map((sector) => async () => {
        // Looked at only now: thousands of declares take a while, and a removal or a move may have come first.
        if (!(await isThere(path.fileOf(type, sector)))) return
        if (path.inTheMaking.has(relativeName(type, sector))) return
        // What lies in a store path is the copy of record.
        await this.#parts.declarations.declare(path, type, sector, path.meta.CanStore)
      }),
    )
  }

  async #dropWhatIsMissing(path: StoragePath, believed: readonly Declaration[] = []): Promise<void> {
    const { declarations } = this.#parts
    await path.assertPresent()
    const here = new Set<string>()
    for (const type of FILE_TYPES) {
      const { sectors } = await scanTypeDirectory(path.directory, type)
      for (const sector of sectors) here.add(relativeName(type, sector))
    }
    for (const { SectorFileType: bits, ...sector } of believed) {
      for (const type of fileTypesOf(bits)) {
        if (here.has(relativeName(type, sector)) || !(await this.#isGone(path, type, sector))) continue
        await declarations.drop(path, type, sector)
      }
    }
  }

  /**
   * The index first: a path that only the index still knew would stay there for good, with all it held.
   * @throws what the index throws while it is away; the path then stays as it is
   */
  async #forget(path: StoragePath): Promise<void> {
    const { index, declarations, paths, tiers, engines, log, url } = this.#parts
    await index.StorageDetach(path.id, url).catch((error: unknown) => {
      if (isSealyardError(error) && error.level === 'temporary') throw error
      log.warn('the index did not know a path that is detached', {
        storagePath: path.id,
        error: describeError(error),
      })
    })
    declarations.forget(path)
    paths.remove(path.id)
    tiers.forget(path.id)
    engines.forget(path.id)
    log.info('storage path detached', { storagePath: path.id, directory: path.directory })
  }
}
