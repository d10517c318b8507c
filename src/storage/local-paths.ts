import { lstat } from 'node:fs/promises'
import { errorCode } from '../base/errors.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import type { SectorId } from '../sectors/sector-id.ts'
import { storageError } from './errors.ts'
import { Patience } from './patience.ts'
import type { StoragePath } from './storage-path.ts'

/** The storage paths that this node has opened. For its own paths the disk is asked, not the index. */
export class LocalPaths {
  readonly #paths = new Map<string, StoragePath>()
  readonly #patience: Patience

  constructor(patience = new Patience()) {
    this.#patience = patience
  }

  all(): StoragePath[] {
    return [...this.#paths.values()]
  }

  /** Those that may be written to. */
  usable(): StoragePath[] {
    return this.all().filter((path) => path.parked === null)
  }

  /** Those that may be looked at: a disk that is mounted read-only is parked, but there. */
  present(): StoragePath[] {
    return this.all().filter((path) => !path.isAway)
  }

  find(id: string): StoragePath | null {
    return this.#paths.get(id) ?? null
  }

  /** @throws StorageError UNKNOWN_PATH */
  get(id: string): StoragePath {
    const path = this.#paths.get(id)
    if (path !== undefined) return path
    throw storageError({
      code: 'UNKNOWN_PATH',
      level: 'permanent',
      message: `storage path ${id} is not attached to this node`,
      storagePath: id,
    })
  }

  byWritten(written: string): StoragePath | null {
    return this.all().find((path) => path.written === written) ?? null
  }

  /** @throws StorageError DUPLICATE_PATH when a directory with this ID is open here */
  assertNew(path: StoragePath): void {
    const { id, directory } = path
    const known = this.#paths.get(id)
    if (known === undefined) return
    const parked = known.parked === null ? '' : `, and is parked: ${known.parked}`
    const message =
      known.directory === directory || known.isSameDirectory(path)
        ? `${directory} is attached to this node already, with the ID ${id}${parked}`
        : `${directory} has the ID ${id}, as ${known.directory} does, which is open: ` +
          'a copied sectorstore.json? Give the copy an ID of its own'
    throw storageError({ code: 'DUPLICATE_PATH', level: 'permanent', message, storagePath: id })
  }

  /** @throws StorageError DUPLICATE_PATH */
  add(path: StoragePath): void {
    this.assertNew(path)
    this.#paths.set(path.id, path)
  }

  remove(id: string): void {
    this.#paths.delete(id)
  }

  /** Own paths on whose disk the sector file lies under its final name, whole or not; silent disks hold nothing. */
  async holdersOf(type: SectorFileType, sector: SectorId): Promise<StoragePath[]> {
    const paths = this.all()
    const there = await Promise.all(paths.map((path) => this.#holds(path, type, sector)))
    return paths.filter((_, at) => there[at])
  }

  async #holds(path: StoragePath, type: SectorFileType, sector: SectorId): Promise<boolean> {
    try {
      return await this.#patience.answerOf(path, () => isThere(path.fileOf(type, sector)))
    } catch (error) {
      if (path.isSilent) return false
      throw error
    }
  }
}

/** A disk that fails to say holds nothing we may build on. */
export async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EIO', 'ESTALE', 'ETIMEDOUT'].includes(errorCode(error) ?? '')) return false
    throw error
  }
}
