import { lstat } from 'node:fs/promises'
import PQueue from 'p-queue'
import { errorCode } from '../base/errors.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

/** Questions to a filesystem at a time; a network filesystem answers each in a round trip. */
const STATS_AT_A_TIME = 8

export interface WrongLength {
  readonly sector: SectorId
  readonly bytes: number
}

/**
 * Sealed and update files whose length no sector has: half a copy, or a cut one. Declared as a copy of record
 * such a file would let the whole one be removed.
 * @param lengths those that sectors have, in bytes; none: any will do
 */
export async function ofWrongLength(
  path: StoragePath,
  type: SectorFileType,
  sectors: readonly SectorId[],
  lengths: readonly number[],
): Promise<WrongLength[]> {
  if (lengths.length === 0 || (type !== 'sealed' && type !== 'update')) return []
  const wrong: WrongLength[] = []
  const queue = new PQueue({ concurrency: STATS_AT_A_TIME })
  // A task that writes its file here knows itself when it is whole.
  const finished = sectors.filter((sector) => !path.inTheMaking.has(relativeName(type, sector)))
  await queue.addAll(
    finished.map((sector) => async () => {
      const bytes = await lengthOf(path.fileOf(type, sector))
      if (bytes !== null && !lengths.includes(bytes)) wrong.push({ sector, bytes })
    }),
  )
  return wrong
}

/** `s-t01000-7 (1024 bytes)` */
export function lengthWords({ sector, bytes }: WrongLength): string {
  return `${sectorName(sector)} (${bytes} bytes)`
}

/** null when it went meanwhile. */
async function lengthOf(file: string): Promise<number | null> {
  try {
    return (await lstat(file)).size
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}
