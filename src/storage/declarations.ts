import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { IndexApi } from '../protocol/apis.ts'
import { FILE_TYPE_BIT, type SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { storageError } from './errors.ts'
import { KeyedLock } from './keyed-lock.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

/** The front door's part: which names it serves from where. */
export interface Publications {
  publish(pathId: string, type: SectorFileType, name: string, path: string): void
  unpublish(pathId: string, type: SectorFileType, name: string): void
}

interface Pending {
  readonly pathId: string
  readonly type: SectorFileType
  readonly sector: SectorId
  readonly change: { readonly held: true; readonly primary: boolean } | { readonly held: false }
}

const RETRY_MS = 5000

/**
 * What the index is told of this node's sector files. The disk leads: a file is served before it is declared,
 * and gone before it is dropped. What the index could not be told is told again, latest word first.
 */
export class Declarations {
  readonly #index: Pick<IndexApi, 'StorageDeclareSector' | 'StorageDropSector'>
  readonly #publications: Publications
  readonly #log: Logger
  readonly #clock: Clock
  readonly #retryMs: number
  readonly #pending = new Map<string, Pending>()
  /** Words on one file reach the index in the order in which they were said. */
  readonly #turns = new KeyedLock()

  constructor(options: {
    index: Pick<IndexApi, 'StorageDeclareSector' | 'StorageDropSector'>
    publications: Publications
    log: Logger
    clock: Clock
    /** Before the index is told again what it did not hear; 5 s by default. */
    retryMs?: number
  }) {
    this.#index = options.index
    this.#publications = options.publications
    this.#log = options.log
    this.#clock = options.clock
    this.#retryMs = options.retryMs ?? RETRY_MS
  }

  /** @returns whether the index knows it now; if not, it is told later */
  async declare(
    path: StoragePath,
    type: SectorFileType,
    sector: SectorId,
    primary: boolean,
  ): Promise<boolean> {
    if (path.isDetached) return false
    this.serve(path, type, sector)
    return this.#tell({ pathId: path.id, type, sector, change: { held: true, primary } })
  }

  /**
   * As {@link declare}, coming back only when the index knows: before a source may go.
   * @throws StorageError UNKNOWN_PATH when the path was detached: the index will never know
   */
  async declareSurely(
    path: StoragePath,
    type: SectorFileType,
    sector: SectorId,
    primary: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    while (!(await this.declare(path, type, sector, primary))) {
      if (path.isDetached) throw detachedMeanwhile(path, type, sector)
      await this.#clock.sleep(this.#retryMs, signal)
    }
  }

  /** Serves a file without a word to the index. */
  serve(path: StoragePath, type: SectorFileType, sector: SectorId): void {
    this.#publications.publish(path.id, type, sectorName(sector), path.fileOf(type, sector))
    path.announced.add(relativeName(type, sector))
    path.servedOnly.delete(relativeName(type, sector))
  }

  /**
   * Serves a file that another node has put on a path we share, before a watcher tells of it (none does on a
   * network filesystem). It does not count as announced: a rescan still declares it, and a removal still hides it.
   */
  serveFound(path: StoragePath, type: SectorFileType, sector: SectorId): void {
    this.#publications.publish(path.id, type, sectorName(sector), path.fileOf(type, sector))
    if (!path.announced.has(relativeName(type, sector))) path.servedOnly.add(relativeName(type, sector))
  }

  /** Stops serving a file that is about to be made anew; the index goes on believing in it until it is looked for. */
  pause(path: StoragePath, type: SectorFileType, sector: SectorId): void {
    this.#publications.unpublish(path.id, type, sectorName(sector))
  }

  /** What lies on a path that is away is not served: whoever asks is told so, not that there is no such file. */
  suspend(path: StoragePath): void {
    for (const name of [...path.announced, ...path.servedOnly]) {
      const [type, file] = name.split('/') as [SectorFileType, string]
      this.#publications.unpublish(path.id, type, file)
    }
  }

  /** The path is back: a rescan tells what has gone meanwhile. */
  resume(path: StoragePath): void {
    for (const name of [...path.announced, ...path.servedOnly]) {
      const [type, file] = name.split('/') as [SectorFileType, string]
      this.#publications.publish(path.id, type, file, join(path.directory, name))
    }
  }

  /** Stops serving a file; before it is removed. */
  hide(path: StoragePath, type: SectorFileType, sector: SectorId): void {
    this.#publications.unpublish(path.id, type, sectorName(sector))
    path.announced.delete(relativeName(type, sector))
    path.servedOnly.delete(relativeName(type, sector))
  }

  async drop(path: StoragePath, type: SectorFileType, sector: SectorId): Promise<void> {
    this.hide(path, type, sector)
    if (!path.isDetached) await this.#tell({ pathId: path.id, type, sector, change: { held: false } })
  }

  /** A path leaves this node: its files are served no more, and the index hears of them from others, if at all. */
  forget(path: StoragePath): void {
    path.isDetached = true
    this.suspend(path)
    path.announced.clear()
    path.servedOnly.clear()
    for (const [key, { pathId }] of this.#pending) if (pathId === path.id) this.#pending.delete(key)
  }

  /** Tells the index what it has not heard yet. */
  async flush(): Promise<void> {
    for (const [key, pending] of [...this.#pending]) {
      // What was said of the file since then is the truth now.
      if (this.#pending.get(key) === pending) await this.#tell(pending)
    }
  }

  #tell(news: Pending): Promise<boolean> {
    const key = `${news.pathId} ${relativeName(news.type, news.sector)}`
    this.#pending.set(key, news)
    return this.#turns.run(key, () => this.#send(key, news))
  }

  async #send(key: string, news: Pending): Promise<boolean> {
    const bit = FILE_TYPE_BIT[news.type]
    try {
      if (news.change.held) {
        await this.#index.StorageDeclareSector(news.pathId, news.sector, bit, news.change.primary)
      } else {
        await this.#index.StorageDropSector(news.pathId, news.sector, bit)
      }
    } catch (error) {
      this.#log.warn('the index could not be told; it will be', {
        sector: sectorName(news.sector),
        storagePath: news.pathId,
        held: news.change.held,
        error: describeError(error),
      })
      return false
    }
    // A newer word on the same file may have come meanwhile: that one stays to be told.
    if (this.#pending.get(key) === news) this.#pending.delete(key)
    return true
  }
}

function detachedMeanwhile(path: StoragePath, type: SectorFileType, sector: SectorId) {
  return storageError({
    code: 'UNKNOWN_PATH',
    level: 'temporary',
    message: `${path.directory} was detached while ${relativeName(type, sector)} was made there: attach it again`,
    sector,
    storagePath: path.id,
  })
}
