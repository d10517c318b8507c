import type {
  CopyEngines,
  FetchLimitsNow,
  FsStat,
  InterruptedMove,
  PathTier,
  QuarantinedFile,
  Transfer,
  WorkerPath,
} from '../protocol/types.ts'
import type { FileTypeBits, SectorFileType } from '../sectors/file-types.ts'
import type { SectorId, SectorRef } from '../sectors/sector-id.ts'
import type { PathKind } from '../sectors/space-tables.ts'
import type { TaskCode } from '../sectors/task-types.ts'
import type { CacheRecords } from './cache-records.ts'
import type { RemoveOptions } from './remove-files.ts'

/** What a task needs of this node's disks. */
export interface AcquireRequest {
  readonly task: TaskCode
  readonly sector: SectorRef
  /** Types that must exist: used where they lie on this node, else a copy is brought from another. */
  readonly existing: FileTypeBits
  /** Types to make room for. One that lies on a fitting path of this node is used where it is. */
  readonly allocate: FileTypeBits
  readonly kind: PathKind
  /** Bytes of private scratch beside the files, reserved with them. 0 by default. */
  readonly scratchBytes?: number
  /** A copy in a seal path that is only read goes with `release`, when a store serves the same file. */
  readonly borrow?: boolean
}

/** One sector file of this node, in its place. */
export interface LocalFile {
  readonly pathId: string
  /** Absolute path; a file, or a directory for the caches. It need not exist when it was allocated. */
  readonly file: string
}

/** Local files for one task, with their space held until `release`. */
export interface AcquiredFiles {
  readonly files: Readonly<Partial<Record<SectorFileType, LocalFile>>>
  /** @throws StorageError NOT_HELD when the type was not asked for */
  file(type: SectorFileType): LocalFile
  /** An existing directory on the same filesystem as the files, private to this task; emptied by `release`. */
  readonly scratch: string
  /** Declares what was made, gives the space back, removes the scratch. Calling it again does nothing. */
  release(): Promise<void>
}

/** What the worker's tasks, the pipeline and the wiring use of this node's storage. */
export interface NodeStorage {
  readonly records: CacheRecords
  /** ID → directory, as `StorageLocal` answers. */
  localPaths(): Record<string, string>
  /** As `Paths` answers, from memory. */
  workerPaths(): WorkerPath[]
  attach(directory: string): Promise<void>
  detach(directory: string): Promise<void>
  /** Takes all own URLs out of the index; `storage.json` keeps them. */
  detachAll(): Promise<void>
  redeclare(pathId: string | null, dropMissing: boolean): Promise<void>
  /** @throws StorageError UNKNOWN_PATH, PATH_PARKED with the reason */
  stat(pathId: string): Promise<FsStat>
  tiers(): Promise<PathTier[]>
  /** How sector files are copied, and what works on each path that can be used. */
  copyEngines(): Promise<CopyEngines>
  transfers(): Transfer[]
  fetchLimits(): FetchLimitsNow
  /** Running downloads follow. @throws StorageError BAD_LIMIT */
  setFetchLimits(limits: FetchLimitsNow): void
  /** @throws StorageError NOT_HELD, NO_SPACE, NO_PATH; nothing is held then */
  acquire(request: AcquireRequest): Promise<AcquiredFiles>
  /**
   * Brings types to a path of this kind on this node: nothing where they are here already, else a local copy
   * or a fetch from another node. `move` removes the source once the target is durable and declared.
   */
  fetch(
    sector: SectorRef,
    bits: FileTypeBits,
    kind: PathKind,
    mode: 'move' | 'copy',
    signal?: AbortSignal,
  ): Promise<void>
  /** Moves types to a store path of this node, then removes copies that are not primary from this node. */
  moveToStore(sector: SectorRef, bits: FileTypeBits, signal?: AbortSignal): Promise<void>
  /**
   * Removes one type from every path of this node but those in `keep`.
   * @param options for requests of other nodes; by default the file is gone
   * @throws StorageError NOT_HELD when none has it
   */
  remove(
    sector: SectorId,
    type: SectorFileType,
    keep: readonly string[],
    options?: RemoveOptions,
  ): Promise<void>
  /** Where a type of a sector lies on this node, store paths first; null when it does not. */
  find(type: SectorFileType, sector: SectorId): Promise<LocalFile | null>
  /** Lets the front door serve a type that lies here and that it was not told of. @returns whether it lies here */
  serveFound(type: SectorFileType, sector: SectorId): Promise<boolean>
  /**
   * Whether all of a range of the unsealed copy is there.
   * @param offset unpadded bytes, as `size`
   * @throws StorageError NOT_HELD
   */
  allocated(sector: SectorRef, offset: number, size: number): Promise<boolean>
  /** What other nodes had removed from store paths of this one, and what waits there for an operator's word. */
  quarantine(): Promise<QuarantinedFile[]>
  /** @returns where it lies now @throws StorageError NOT_HELD, BUSY */
  restoreQuarantined(name: string): Promise<string>
  /** @returns bytes it took on the disk @throws StorageError NOT_HELD */
  removeQuarantined(name: string): Promise<number>
  /** Moves that a stop interrupted and that were not ended yet. */
  interruptedMoves(): InterruptedMove[]
  /** Forgets one that is not certain; no file is touched. @throws StorageError NOT_HELD, BUSY for one that waits */
  settleMove(op: string): Promise<void>
  /** The sealer is another run of the process: everything is declared, and running work's space announced again. */
  introduceAgain(): Promise<void>
  /** Stops watching, lets running transfers end until the deadline, then cancels them. */
  close(deadlineMs: number): Promise<void>
}
