import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../base/errors.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import type { Operations } from './operations.ts'
import type { StoragePath } from './storage-path.ts'

/** Where a download writes, and where it records how far it is. */
export interface DownloadPlace {
  readonly data: string
  readonly record: string
}

export function downloadPlace(
  operations: Operations,
  target: StoragePath,
  type: SectorFileType,
  sector: SectorId,
): DownloadPlace {
  const names = operations.resumable(sectorName(sector))
  const fetching = target.fetchingOf(type)
  return { data: join(fetching, names.data), record: join(fetching, names.record) }
}

/** Line of the record, behind its hash, that names the URL. The record itself is read by `crates/remote` alone. */
const URL_LINE = 2

/**
 * The URL that an earlier download on this path came from: a hint which source to ask first, no more.
 * @returns null when nothing was kept
 */
export async function keptFrom({ record }: DownloadPlace): Promise<string | null> {
  const text = await readFile(record, 'latin1').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return ''
    throw error
  })
  const url = text.split('\n')[URL_LINE]
  return url !== undefined && URL.canParse(url) ? url : null
}

/** Removes what was downloaded; what is not there is removed already. */
export async function discardDownload({ data, record }: DownloadPlace): Promise<void> {
  // The record first: without it nobody goes on from the data.
  await rm(record, { force: true })
  await rm(data, { recursive: true, force: true })
}
