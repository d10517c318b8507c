import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { IndexApi } from '../protocol/apis.ts'
import { FILE_TYPE_BIT, type SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
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
  readonly #pending = new Map<string, Pending>()

  constructor(options: {
    index: Pick<IndexApi, 'StorageDeclareSector' | 'StorageDropSector'>
    publications: Publications
    log: Logger
    clock: Clock
  }) {
    this.#index = options.index
    this.#publications = options.publications
    this.#log = options.log
    this.#clock = options.clock
  }

  /** @returns whether the index knows it now; if not, it is told later */
  async declare(
    path: StoragePath,
    type: SectorFileType,
    sector: SectorId,
    primary: boolean,
  ): Promise<boolean> {
    this.serve(path, type, sector)
    return this.#tell({ pathId: path.id, type, sector, change: { held: true, primary } })
  }

  /** As {@link declare}, coming back only when the index knows: before a source may go. */
  async declareSurely(
    path: StoragePath,
    type: SectorFileType,
    sector: SectorId,
    primary: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    while (!(await this.declare(path, type, sector, primary))) await this.#clock.sleep(RETRY_MS, signal)
  }

  /** Serves a file without a word to the index. */
  serve(path: StoragePath, type: SectorFileType, sector: SectorId): void {
    this.#publications.publish(path.id, type, sectorName(sector), path.fileOf(type, sector))
    path.announced.add(relativeName(type, sector))
  }

  /**
   * Serves a file that another node has put on a path we share, before a watcher tells of it (none does on a
   * network filesystem). It does not count as announced: a rescan still declares it, and a removal still hides it.
   */
  serveFound(path: StoragePath, type: SectorFileType, sector: SectorId): void {
    this.#publications.publish(path.id, type, sectorName(sector), path.fileOf(type, sector))
  }

  /** Stops serving a file; before it is removed. */
  hide(path: StoragePath, type: SectorFileType, sector: SectorId): void {
    this.#publications.unpublish(path.id, type, sectorName(sector))
    path.announced.delete(relativeName(type, sector))
  }

  async drop(path: StoragePath, type: SectorFileType, sector: SectorId): Promise<void> {
    this.hide(path, type, sector)
    await this.#tell({ pathId: path.id, type, sector, change: { held: false } })
  }

  /** Tells the index what it has not heard yet. @returns whether it knows everything now */
  async flush(): Promise<boolean> {
    for (const pending of [...this.#pending.values()]) await this.#tell(pending)
    return this.#pending.size === 0
  }

  /** Comes back when the index knows everything: before a task's result is handed in. */
  async settled(signal: AbortSignal): Promise<void> {
    while (!(await this.flush())) await this.#clock.sleep(RETRY_MS, signal)
  }

  async #tell(news: Pending): Promise<boolean> {
    const key = `${news.pathId} ${relativeName(news.type, news.sector)}`
    this.#pending.set(key, news)
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
