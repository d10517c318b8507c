import { describeError } from '../base/errors.ts'
import { FetchError } from '../native/fetch.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { asStorageError, StorageError, storageError } from './errors.ts'
import type { Source } from './fetch-sources.ts'

const ENOSPC = 28
const EDQUOT = 122

/**
 * What a failed download means for its caller: NOT_HELD and FETCH_FAILED speak of the source, NO_SPACE and IO of
 * our own disk. A failure that time may heal is temporary.
 */
export function asFetchFailure(cause: unknown, source: Source, sector: SectorId): StorageError {
  if (!(cause instanceof FetchError)) return asStorageError(cause, `fetching ${source.url}`, { sector })
  if (cause.code === 'io') {
    const isFull = [ENOSPC, EDQUOT].includes(Math.abs(cause.errno ?? 0))
    const words = isFull ? 'the disk is full' : 'what arrives cannot be written'
    const code = isFull ? 'NO_SPACE' : 'IO'
    return storageError({
      code,
      level: 'temporary',
      message: `fetching ${source.url}: ${words}: ${cause.message}`,
      sector,
      cause,
    })
  }
  // Asked again, a source that lacks the file or the sense for it will answer the same. One that refuses the token
  // perhaps not: a lotus worker says 401 too when its miner is away and nobody can tell it whose token that is.
  const isFinal = cause.code === 'not-here' || cause.code === 'refused-name'
  return storageError({
    code: cause.code === 'not-here' ? 'NOT_HELD' : 'FETCH_FAILED',
    level: isFinal ? 'permanent' : 'temporary',
    message: `fetching ${source.url}: ${cause.message}`,
    sector,
    cause,
  })
}

export function isWorthRetry(error: Error): boolean {
  return error instanceof StorageError && error.code === 'FETCH_FAILED' && error.level === 'temporary'
}

/** One failure for a round over all sources; worth another round when any of them was. */
export function noSourceGave(
  failures: readonly StorageError[],
  type: SectorFileType,
  sector: SectorId,
): StorageError {
  const isTemporary = failures.some((each) => each.level === 'temporary')
  const areAllStale = failures.every((each) => each.code === 'NOT_HELD')
  return storageError({
    code: areAllStale ? 'NOT_HELD' : 'FETCH_FAILED',
    level: isTemporary ? 'temporary' : 'permanent',
    message: `no node gave ${type} of ${sectorName(sector)}: ${failures.map(describeError).join('; ')}`,
    sector,
  })
}
