import { lstat } from 'node:fs/promises'
import { describeError } from '../base/errors.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { findSources, type Source } from './fetch-sources.ts'
import type { StorageParts } from './parts.ts'
import { removeFrom } from './remove-files.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

/** A node that does not answer in this time does not hold a file as far as we can tell. */
const ASK_TIMEOUT_MS = 30_000

/**
 * Removes a copy in a seal path that was only there to be read, once a store has shown that it has the file. Never
 * throws: what cannot be made sure of stays, and is told.
 */
export async function returnBorrowed(
  parts: StorageParts,
  sector: SectorRef,
  type: SectorFileType,
  path: StoragePath,
): Promise<void> {
  if (path.meta.CanStore) return
  const name = relativeName(type, sector.ID)
  try {
    await parts.locks.run(name, async () => {
      if (path.isFileInUse(name)) return
      const { size } = await lstat(path.fileOf(type, sector.ID))
      if (await isStored(parts, sector, type, size)) await removeFrom(parts, path, type, sector.ID)
    })
  } catch (error) {
    parts.log.warn('a copy that was only there to be read stays', {
      sector: sectorName(sector.ID),
      type,
      storagePath: path.id,
      error: describeError(error),
    })
  }
}

/** What an index says is not enough to remove a file: the store itself is asked. */
async function isStored(
  parts: StorageParts,
  sector: SectorRef,
  type: SectorFileType,
  bytes: number,
): Promise<boolean> {
  for (const own of await parts.paths.holdersOf(type, sector.ID)) {
    if (own.meta.CanStore && (await lstat(own.fileOf(type, sector.ID))).size === bytes) return true
  }
  const stores = (await findSources(parts, sector, type)).filter((source) => source.canStore)
  for (const store of stores) if ((await servedBytes(parts, store)) === bytes) return true
  return false
}

/** Length of the file that a node serves; null when it serves none. Lotus answers ranges, but no HEAD. */
async function servedBytes(parts: StorageParts, { url }: Source): Promise<number | null> {
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${await parts.fetchToken()}`, range: 'bytes=0-0' },
    signal: AbortSignal.any([AbortSignal.timeout(ASK_TIMEOUT_MS), parts.cancelling]),
  }).catch(() => null)
  if (answer === null) return null
  // A node that ignores the range would send it all.
  await answer.body?.cancel()
  const total = /\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1]
  return answer.status === 206 && total !== undefined ? Number(total) : null
}
