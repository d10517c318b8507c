import { join } from 'node:path'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { storageError } from './errors.ts'
import { changeOf, type PathIdentity } from './path-identity.ts'
import { FETCHING } from './scan-path.ts'
import type { StorageMeta } from './sector-store.ts'
import { isMountedReadOnly } from './writable.ts'

/** What is found where a path was attached. */
export interface Appearance {
  readonly isAway: boolean
  /** Why nothing may be written, or null. */
  readonly parked: string | null
}

/**
 * One attached directory.
 *
 *     open ──identity changed, silent, mounted read-only──► parked ──the known directory is back, and writable──► open
 *
 * A parked path is not allocated from, not written to and not deleted from; readers go on. Only the heartbeat
 * ends the parking: what an unmount ended (the watches) is begun anew then.
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
  /** Parked, and what lies there now is not the directory that was opened: no number and no absence counts. */
  isAway = false
  /** Calls into its filesystem that have not come back in time; see Patience. */
  #unanswered = 0
  /** Sector files that this node has declared from here, as `sealed/s-t01000-7`. */
  readonly announced = new Set<string>()
  /** Those that others put here and that are only served, not declared yet. */
  readonly servedOnly = new Set<string>()
  /** Sector files that a running task or move is making (or removing) here: not declared before it is done. */
  readonly inTheMaking = new Map<string, number>()
  /** No path of this node any more: of its files the index hears nothing from us. */
  isDetached = false
  /** What running tasks and moves read here, or have as their scratch. */
  readonly #used = new Map<string, number>()

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

  /** Whether both are one directory, however each is spelled; told by what it looked like when it was opened. */
  isSameDirectory(other: StoragePath): boolean {
    const [a, b] = [this.identity, other.identity]
    return a.device === b.device && a.inode === b.inode
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
    await this.#noticeChange()
    if (this.parked !== null) throw this.parkedError()
  }

  /**
   * As {@link assertIdentity}, for looking only: a disk that is mounted read-only may be read.
   * @throws StorageError PATH_PARKED
   */
  async assertPresent(): Promise<void> {
    await this.#noticeChange()
    if (this.isAway) throw this.parkedError()
  }

  /** Parks the path, or ends its being parked, by what is found there. */
  async look(): Promise<void> {
    this.apply(await this.appearance())
  }

  /** What lies there now; changes nothing, for the answer may come too late to be true. */
  async appearance(): Promise<Appearance> {
    const change = await changeOf(this.directory, this.identity)
    return { isAway: change !== null, parked: change ?? (await this.#whyReadOnly()) }
  }

  apply({ isAway, parked }: Appearance): void {
    this.isAway = isAway
    this.parked = parked
  }

  /** A call into its filesystem does not come back: any other would hang, and keep a thread, as well. */
  get isSilent(): boolean {
    return this.#unanswered > 0
  }

  /** @param ms how long was waited */
  fallSilent(ms: number): void {
    this.#unanswered += 1
    this.isAway = true
    this.parked = `its filesystem has not answered for ${Math.ceil(ms / 1000)} s: is its server, or its disk, there? It is used again when it answers`
  }

  /** That call came back, with whatever; the next heartbeat looks what lies there. */
  speakAgain(): void {
    this.#unanswered -= 1
  }

  async #noticeChange(): Promise<void> {
    const change = await changeOf(this.directory, this.identity)
    if (change === null) return
    this.isAway = true
    this.parked = change
  }

  async #whyReadOnly(): Promise<string | null> {
    const isWritten = this.meta.CanSeal || this.meta.CanStore
    if (!isWritten || !(await isMountedReadOnly(this.directory))) return null
    return 'its filesystem is mounted read-only (the kernel does so when a disk fails): look into the kernel log, mount it read-write'
  }

  parkedError() {
    return storageError({
      code: 'PATH_PARKED',
      level: 'critical',
      message: `storage path ${this.id} at ${this.directory} is parked: ${this.parked}`,
      storagePath: this.id,
    })
  }

  /** Whether running work needs the path: it is not detached meanwhile. */
  get isInUse(): boolean {
    return this.#used.size > 0 || this.inTheMaking.size > 0
  }

  /** Whether running work reads a sector file or writes it. @param name as {@link relativeName} */
  isFileInUse(name: string): boolean {
    return this.#used.has(name) || this.inTheMaking.has(name)
  }

  /** Keeps the path attached while something in it is needed; call the result when the work has ended. */
  startUsing(name: string): () => void {
    return counted(this.#used, name)
  }

  /** Marks a sector file as being made; call the result once it is whole, or given up. */
  startMaking(type: SectorFileType, sector: SectorId): () => void {
    return counted(this.inTheMaking, relativeName(type, sector))
  }
}

/** @returns takes it out again, once */
function counted(counts: Map<string, number>, name: string): () => void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
  let isCounted = true
  return () => {
    if (!isCounted) return
    isCounted = false
    const left = (counts.get(name) ?? 1) - 1
    if (left > 0) counts.set(name, left)
    else counts.delete(name)
  }
}

/** `sealed/s-t01000-7`: a sector file below any storage path. */
export function relativeName(type: SectorFileType, sector: SectorId): string {
  return `${type}/${sectorName(sector)}`
}
