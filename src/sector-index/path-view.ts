import type { FsStat, StorageInfo } from '../protocol/types.ts'
import type { FileTypeBits } from '../sectors/file-types.ts'
import type { SectorId } from '../sectors/sector-id.ts'

/** A storage path as the index knows it at one moment. */
export interface PathView {
  readonly info: StorageInfo
  /** Null until a node has reported it in this run. */
  readonly stat: FsStat | null
  /** Since the last sign of life; null when there was none in this run. */
  readonly heartbeatAgeMs: number | null
  /** Why nothing new may be placed here now, or null. */
  readonly unusable: string | null
}

/** What one path holds of a sector. */
export interface Holding {
  readonly pathId: string
  readonly bits: FileTypeBits
  readonly primaryBits: FileTypeBits
}

/** The index at one moment; good until the next await. */
export interface IndexView {
  readonly paths: readonly PathView[]
  holdings(sector: SectorId): readonly Holding[]
}
