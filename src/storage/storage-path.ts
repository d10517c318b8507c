import { join } from 'node:path'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { storageError } from './errors.ts'
import { changeOf, type PathIdentity } from './path-identity.ts'
import { FETCHING } from './scan-path.ts'
import type { StorageMeta } from './sector-store.ts'

/**
 * One attached directory.
 *
 *     open ──identity changed, disk sick──► parked ──the known directory is back──► open
 *
 * A parked path is not allocated from, not written to and not deleted from; readers go on.
 */
export class StoragePath {
  /** As the operator wrote it; `storage.json` and `detach` know it by this text. */
  readonly written: string
  readonly directory: string
  readonly identity: PathIdentity
  /** `ext4`, `nfs`, …; decides how changes are noticed. */
  readonly filesystemType: string
  meta: StorageMeta
  /** Why nothing is written to it now, or null. */
  parked: string | null = null
  /** Sector files that this node has declared from here, as `sealed/s-t01000-7`. */
  readonly announced = new Set<string>()
  /** Sector files that a running task or move is making here: not declared before it is done. */
  readonly inTheMaking = new Map<string, number>()

  constructor(options: {
    written: string
    directory: string
    identity: PathIdentity
    filesystemType: string
    meta: StorageMeta
  }) {
    this.written = options.written
    this.directory = options.directory
    this.identity = options.identity
    this.filesystemType = options.filesystemType
    this.meta = options.meta
  }

  get id(): string {
    return this.identity.id
  }

  /** Absolute path of a sector file. */
  fileOf(type: SectorFileType, sector: SectorId): string {
    return join(this.directory, relativeName(type, sector))
  }

  /** Directory for unfinished files of a type. */
  fetchingOf(type: SectorFileType): string {
    return join(this.directory, type, FETCHING)
  }

  /**
   * Proves that this is still the directory that was opened; before each allocation and each unlink.
   * @throws StorageError PATH_PARKED (critical: the worker's disk needs an operator)
   */
  async assertIdentity(): Promise<void> {
    const change = await changeOf(this.directory, this.identity)
    if (change !== null) this.parked = change
    if (this.parked !== null) throw this.parkedError()
  }

  parkedError() {
    return storageError({
      code: 'PATH_PARKED',
      level: 'critical',
      message: `storage path ${this.id} at ${this.directory} is parked: ${this.parked}`,
      storagePath: this.id,
    })
  }

  /** Marks a sector file as being made; call the result once it is whole, or given up. */
  startMaking(type: SectorFileType, sector: SectorId): () => void {
    const name = relativeName(type, sector)
    this.inTheMaking.set(name, (this.inTheMaking.get(name) ?? 0) + 1)
    let isMaking = true
    return () => {
      if (!isMaking) return
      isMaking = false
      const left = (this.inTheMaking.get(name) ?? 1) - 1
      if (left > 0) this.inTheMaking.set(name, left)
      else this.inTheMaking.delete(name)
    }
  }
}

/** `sealed/s-t01000-7`: a sector file below any storage path. */
export function relativeName(type: SectorFileType, sector: SectorId): string {
  return `${type}/${sectorName(sector)}`
}
