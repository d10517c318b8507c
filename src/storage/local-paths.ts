import { lstat } from 'node:fs/promises'
import { errorCode } from '../base/errors.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import type { SectorId } from '../sectors/sector-id.ts'
import { storageError } from './errors.ts'
import type { StoragePath } from './storage-path.ts'

/** The storage paths that this node has opened. For its own paths the disk is asked, not the index. */
export class LocalPaths {
  readonly #paths = new Map<string, StoragePath>()

  all(): StoragePath[] {
    return [...this.#paths.values()]
  }

  /** Those that may be written to. */
  usable(): StoragePath[] {
    return this.all().filter((path) => path.parked === null)
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

  /** @throws StorageError DUPLICATE_PATH when another directory with this ID is open here */
  add(path: StoragePath): void {
    const known = this.#paths.get(path.id)
    if (known !== undefined) {
      throw storageError({
        code: 'DUPLICATE_PATH',
        level: 'permanent',
        message:
          `${path.directory} has the ID ${path.id}, as ${known.directory} does, which is open: ` +
          'a copied sectorstore.json? Give the copy an ID of its own',
        storagePath: path.id,
      })
    }
    this.#paths.set(path.id, path)
  }

  remove(id: string): void {
    this.#paths.delete(id)
  }

  /** Own paths on whose disk the sector file lies under its final name, whole or not. */
  async holdersOf(type: SectorFileType, sector: SectorId): Promise<StoragePath[]> {
    const paths = this.all()
    const there = await Promise.all(paths.map((path) => isThere(path.fileOf(type, sector))))
    return paths.filter((_, at) => there[at])
  }
}

/** A disk that fails to say holds nothing we may build on. */
async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EIO', 'ESTALE', 'ETIMEDOUT'].includes(errorCode(error) ?? '')) return false
    throw error
  }
}
