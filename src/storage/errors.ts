import { describeError, type ErrorLevel, SealyardError } from '../base/errors.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'

export type StorageErrorCode =
  /** A file or directory that should be there is not. */
  | 'NOT_FOUND'
  /** The sector file that was asked for lies nowhere it was looked for. */
  | 'NOT_HELD'
  /** A reservation was refused, or the disk is full. */
  | 'NO_SPACE'
  /** No path of this node takes such files (use, groups, filters). */
  | 'NO_PATH'
  /** `sectorstore.json` is missing or is not one. */
  | 'BAD_METAFILE'
  | 'ALREADY_INITIALISED'
  /** A limit of downloads that is no number of them, or of bytes. */
  | 'BAD_LIMIT'
  | 'DUPLICATE_PATH'
  /** What should be a storage path is no directory, or cannot be written to. */
  | 'BAD_PATH'
  | 'UNKNOWN_PATH'
  /** The path's identity changed or its disk fails; nothing is written to it. */
  | 'PATH_PARKED'
  /** A cache directory lacks files of its phase, or a file has a wrong size. */
  | 'INCOMPLETE'
  | 'FETCH_FAILED'
  | 'MOVE_FAILED'
  | 'BUSY'
  | 'IO'

/** What `storage` throws. */
export class StorageError extends SealyardError {}

export interface StorageFailure {
  readonly code: StorageErrorCode
  readonly level: ErrorLevel
  readonly message: string
  readonly sector?: SectorId | null
  readonly storagePath?: string | null
  readonly cause?: unknown
}

export function storageError(failure: StorageFailure): StorageError {
  return new StorageError({
    code: failure.code,
    level: failure.level,
    message: failure.message,
    sector: failure.sector ? sectorName(failure.sector) : null,
    storagePath: failure.storagePath ?? null,
    cause: failure.cause,
  })
}

const LEVELS: readonly string[] = ['temporary', 'permanent', 'abort', 'critical'] satisfies ErrorLevel[]

/** Gives a native or system failure this room's face: its level is kept, `NO_SPACE` and `NOT_FOUND` keep their code. */
export function asStorageError(
  cause: unknown,
  doing: string,
  about: { sector?: SectorId | null; storagePath?: string | null } = {},
): StorageError {
  if (cause instanceof StorageError) return cause
  const { code, level } = (typeof cause === 'object' && cause !== null ? cause : {}) as {
    code?: unknown
    level?: unknown
  }
  const kept = code === 'NO_SPACE' || code === 'ENOSPC' || code === 'EDQUOT' ? 'NO_SPACE' : null
  const lost = code === 'NOT_FOUND' || code === 'ENOENT' ? 'NOT_FOUND' : null
  return storageError({
    code: kept ?? lost ?? (code === 'PATH_CHANGED' || code === 'PATH_SICK' ? 'PATH_PARKED' : 'IO'),
    level: typeof level === 'string' && LEVELS.includes(level) ? (level as ErrorLevel) : 'temporary',
    message: `${doing}: ${describeError(cause)}`,
    ...about,
    cause,
  })
}
