import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { durably } from '../base/durable-steps.ts'
import type { Logger } from '../base/log.ts'
import type { IndexApi } from '../protocol/apis.ts'
import {
  type Declaration,
  type FsStat,
  type HealthReport,
  type SectorLocks,
  type SectorStorageInfo,
  type StorageInfo,
  storageInfo,
} from '../protocol/types.ts'
import { FILE_TYPE_BIT, type FileTypeBits, fileTypesOf, isFileType } from '../sectors/file-types.ts'
import type { SectorId } from '../sectors/sector-id.ts'
import type { PathKind } from '../sectors/space-tables.ts'
import type { SealerTables } from '../state/tables.ts'
import { SectorIndexError, unknownPath } from './errors.ts'
import { bestAlloc, findSector } from './find.ts'
import { Holdings } from './holdings.ts'
import { PathRegistry } from './path-registry.ts'
import type { IndexView } from './path-view.ts'
import { SectorLockTable } from './sector-locks.ts'
import { WriteBatch } from './write-batch.ts'

export interface SectorIndexOptions {
  readonly db: Kysely<SealerTables>
  readonly clock: Clock
  readonly log: Logger
}

/** The sector index: lotus' Storage… methods, answered from memory, written through to the state. */
export class SectorIndex implements IndexApi {
  readonly #paths: PathRegistry
  readonly #holdings = new Holdings()
  readonly #locks = new SectorLockTable()
  readonly #writes: WriteBatch<SealerTables>
  readonly #log: Logger
  readonly #listeners = new Set<() => void>()
  #pathsVersion = 0

  private constructor(options: SectorIndexOptions) {
    this.#paths = new PathRegistry(options.clock)
    this.#writes = new WriteBatch(options.db)
    this.#log = options.log
  }

  /** Opens the index with what an earlier run knew; its paths are unusable until a node speaks for them. */
  static async open(options: SectorIndexOptions): Promise<SectorIndex> {
    const index = new SectorIndex(options)
    const paths = await options.db.selectFrom('storage_paths').selectAll().orderBy('position').execute()
    for (const row of paths) index.#paths.restore(storageInfo.parse(JSON.parse(row.info)), row.position)
    const declared = await options.db.selectFrom('declarations').selectAll().execute()
    for (const row of declared) {
      const sector = { Miner: row.miner, Number: row.number }
      index.#holdings.add(row.path_id, sector, row.file_type, row.is_primary === 1)
    }
    return index
  }

  /** The index at this moment, for decisions; good until the next await. */
  view(): IndexView {
    return { paths: this.#paths.views(), holdings: (sector) => this.#holdings.of(sector) }
  }

  /** Another number after each attach and detach: what nodes said of their paths before is old then. */
  get pathsVersion(): number {
    return this.#pathsVersion
  }

  /** Calls back after every change that may let work run that could not. @returns how to stop that */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Real locks, for callers in this process.
   * @param readBits types that others may read meanwhile @param writeBits types that nobody else may touch
   * @returns the release function
   */
  hold(
    sector: SectorId,
    readBits: FileTypeBits,
    writeBits: FileTypeBits,
    signal?: AbortSignal,
  ): Promise<() => void> {
    return this.#locks.hold(sector, readBits, writeBits, signal)
  }

  async StorageAttach(info: StorageInfo, stat: FsStat): Promise<void> {
    for (const word of [...info.AllowTypes, ...info.DenyTypes].filter((each) => !isFileType(each))) {
      this.#log.warn('a filter of a storage path names an unknown file type; it is ignored', {
        storagePath: info.ID,
        word,
      })
    }
    this.#paths.attach(info, stat)
    this.#pathsVersion += 1
    await this.#savePath(info.ID)
    this.#changed()
  }

  async StorageDetach(pathId: string, url: string): Promise<void> {
    if (!this.#paths.has(pathId)) throw unknownPath(`storage '${pathId}' isn't registered`, pathId)
    const left = this.#paths.detach(pathId, url)
    if (left === null) {
      const known = this.#paths.info(pathId)?.URLs[0] ?? ''
      throw new SectorIndexError({
        code: 'URL_MISMATCH',
        level: 'permanent',
        message: `not dropping path, requested and index urls don't match ('${url}' != '${known}')`,
        storagePath: pathId,
      })
    }
    this.#pathsVersion += 1
    if (left > 0) {
      await this.#savePath(pathId)
    } else {
      this.#holdings.removePath(pathId)
      await durably('index.path-removed', () =>
        this.#writes.submit((trx) => trx.deleteFrom('storage_paths').where('id', '=', pathId).execute()),
      )
    }
    this.#changed()
  }

  async StorageInfo(pathId: string): Promise<StorageInfo> {
    const info = this.#paths.info(pathId)
    if (info === null) throw unknownPath(`sector store not found: ${pathId} is attached to no node`, pathId)
    return info
  }

  async StorageReportHealth(pathId: string, report: HealthReport): Promise<void> {
    const changed = this.#paths.report(pathId, report)
    if (changed === null) throw unknownPath(`health report for unknown storage: ${pathId}`, pathId)
    if (report.Err !== '') {
      this.#log.warn('a storage path is not well', { storagePath: pathId, error: report.Err })
    }
    if (changed) this.#changed()
  }

  /** Refused for a path that is not attached: lotus takes it and its listing breaks. */
  async StorageDeclareSector(
    pathId: string,
    sector: SectorId,
    bits: FileTypeBits,
    primary: boolean,
  ): Promise<void> {
    if (!this.#paths.has(pathId)) {
      throw unknownPath(`storage '${pathId}' isn't registered: attach it before declaring its files`, pathId)
    }
    const rows = declarationRows(pathId, sector, bits, primary)
    if (rows.length === 0) return
    this.#holdings.add(pathId, sector, bits, primary)
    await durably('index.declared', () =>
      this.#writes.submit((trx) =>
        trx
          .insertInto('declarations')
          .values(rows)
          .onConflict((conflict) =>
            conflict.columns(['path_id', 'miner', 'number', 'file_type']).doUpdateSet((eb) => ({
              is_primary: eb.fn('max', ['declarations.is_primary', 'excluded.is_primary']),
            })),
          )
          .execute(),
      ),
    )
    this.#changed()
  }

  async StorageDropSector(pathId: string, sector: SectorId, bits: FileTypeBits): Promise<void> {
    this.#holdings.remove(pathId, sector, bits)
    const types = fileTypesOf(bits).map((type) => FILE_TYPE_BIT[type])
    if (types.length === 0) return
    await durably('index.dropped', () =>
      this.#writes.submit((trx) =>
        trx
          .deleteFrom('declarations')
          .where('path_id', '=', pathId)
          .where('miner', '=', sector.Miner)
          .where('number', '=', sector.Number)
          .where('file_type', 'in', types)
          .execute(),
      ),
    )
    this.#changed()
  }

  async StorageFindSector(
    sector: SectorId,
    bits: FileTypeBits,
    sectorSize: number,
    allowFetch: boolean,
  ): Promise<SectorStorageInfo[]> {
    return findSector(this.view(), sector, bits, sectorSize, allowFetch)
  }

  async StorageBestAlloc(
    bits: FileTypeBits,
    sectorSize: number,
    kind: PathKind,
    miner: number,
  ): Promise<StorageInfo[]> {
    const best = bestAlloc(this.view(), bits, sectorSize, kind, miner)
    if (best.length > 0) return best
    throw new SectorIndexError({
      code: 'NO_GOOD_PATH',
      level: 'temporary',
      message: `no good path found for ${fileTypesOf(bits).join(', ')} (${kind}): attach one with room, or free some`,
    })
  }

  /** Over the wire a lock lasts as long as its call, as in lotus: it only says that nobody else was at work. */
  async StorageLock(sector: SectorId, readBits: FileTypeBits, writeBits: FileTypeBits): Promise<void> {
    const release = await this.#locks.hold(sector, readBits, writeBits)
    release()
  }

  async StorageTryLock(sector: SectorId, readBits: FileTypeBits, writeBits: FileTypeBits): Promise<boolean> {
    const release = this.#locks.tryHold(sector, readBits, writeBits)
    release?.()
    return release !== null
  }

  async StorageGetLocks(): Promise<SectorLocks> {
    return this.#locks.list()
  }

  async StorageList(): Promise<Record<string, Declaration[]>> {
    return Object.fromEntries(this.#paths.ids().map((id) => [id, this.#holdings.on(id)]))
  }

  /** Comes back when all that was told is durable. */
  async close(): Promise<void> {
    await this.#writes.idle()
  }

  #savePath(pathId: string): Promise<void> {
    const info = JSON.stringify(this.#paths.info(pathId))
    const row = { id: pathId, position: this.#paths.position(pathId), info }
    return durably('index.path-saved', () =>
      this.#writes.submit((trx) =>
        trx
          .insertInto('storage_paths')
          .values(row)
          .onConflict((conflict) => conflict.column('id').doUpdateSet({ info }))
          .execute(),
      ),
    )
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

function declarationRows(pathId: string, sector: SectorId, bits: FileTypeBits, primary: boolean) {
  return fileTypesOf(bits).map((type) => ({
    path_id: pathId,
    miner: sector.Miner,
    number: sector.Number,
    file_type: FILE_TYPE_BIT[type],
    is_primary: primary ? 1 : 0,
  }))
}
