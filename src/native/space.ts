import { addon } from './addon.ts'
import { orThrow, translated } from './errors.ts'

/** What a file system says of itself now. */
export interface FilesystemState {
  capacityBytes: number
  /** Free for us, not counting blocks kept for root. */
  availableBytes: number
  totalInodes: number
  freeInodes: number
  /** Same string = same free space: type, device and fsid (btrfs: its UUID, one for all subvolumes). */
  filesystem: string
  /** `ext4`, `xfs`, `btrfs`, `tmpfs`, `nfs`, … or the magic number in hex. */
  type: string
  mountId: number
}

export interface SpaceFilesystem {
  id: string
  availableBytes: number
  /** Never handed out. */
  floorBytes: number
}

export interface SpacePath {
  id: string
  filesystem: string
  /** The operator's MaxStorage, null for none. */
  maxBytes: number | null
  usedBytes: number
}

/** A reservation. What is on disk already is not counted again. */
export interface SpaceEntry {
  /** Of (sector, file type, path): an entry asked for again replaces itself. */
  id: string
  path: string
  bytes: number
  onDiskBytes: number
}

export interface SpaceSnapshot {
  filesystems: SpaceFilesystem[]
  paths: SpacePath[]
  held: SpaceEntry[]
}

export type SpaceVerdict =
  | { granted: true }
  | {
      granted: false
      /** The entry that did not fit. */
      id: string
      path: string
      filesystem: string
      wantedBytes: number
      availableBytes: number
      /** True if the operator's MaxStorage was the tighter limit. */
      limitedByMax: boolean
    }

/** statvfs of the file system below `path`. @throws NativeError */
export async function filesystemOf(path: string): Promise<FilesystemState> {
  return orThrow(await addon.filesystemOf(path))
}

/** Bytes that a file or tree takes on its disk (st_blocks × 512); null if it is not there. */
export async function diskUsage(path: string): Promise<number | null> {
  return orThrow(await addon.diskUsage(path)).bytes
}

/** Whether all of `wanted` fit at once; nothing is kept, the caller writes down what was granted. */
export function spaceAdmit(snapshot: SpaceSnapshot, wanted: SpaceEntry[]): SpaceVerdict {
  const refusal = translated(() => addon.spaceAdmit(snapshot, wanted))
  return refusal === null ? { granted: true } : { granted: false, ...refusal }
}

/** What this kernel and this user may do. */
export function kernelAbilities(): { ioUring: boolean; cachestat: boolean; root: boolean; kernel: string } {
  return addon.kernelAbilities()
}
