import { type FileTypeBits, fileTypesOf, type SectorFileType } from '../sectors/file-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import type { Fetcher } from './fetch-sector.ts'
import { storeTypes } from './move-sector.ts'
import type { StorageParts } from './parts.ts'
import { firstSound } from './path-choice.ts'
import { removeFrom } from './remove-files.ts'
import { relativeName } from './storage-path.ts'

/**
 * Moves types of a sector to store paths of this node, all or, when space is refused, none; then removes the
 * copies that other own paths still hold. Moved twice is moved once.
 * @throws StorageError NOT_HELD, NO_SPACE, NO_PATH, BUSY
 */
export async function moveToStore(
  parts: StorageParts,
  fetcher: Fetcher,
  sector: SectorRef,
  bits: FileTypeBits,
  signal?: AbortSignal,
): Promise<void> {
  const types = fileTypesOf(bits)
  await parts.locks.run(sectorName(sector.ID), async () => {
    for (const type of types) {
      const here = await parts.paths.holdersOf(type, sector.ID)
      if (here.length === 0) await fetcher.fetch(sector, type, 'storage', 'move', signal)
    }
    await underFileLocks(parts, sector, types, async () => {
      await storeTypes(parts, sector, types, false, signal)
      for (const type of types) await removeCopies(parts, sector, type)
    })
  })
}

/** Once a store path of this node, still the one it was, holds the file, other own copies may go. */
async function removeCopies(parts: StorageParts, sector: SectorRef, type: SectorFileType): Promise<void> {
  const holders = await parts.paths.holdersOf(type, sector.ID)
  const stored = await firstSound(
    parts,
    holders.filter(({ meta }) => meta.CanStore),
  )
  if (stored === null) return
  for (const path of holders) {
    if (path.meta.CanStore || path.inTheMaking.has(relativeName(type, sector.ID))) continue
    await removeFrom(parts, path, type, sector.ID)
  }
}

/** Takes the locks of several files of a sector, always in the order of their bits. */
async function underFileLocks(
  parts: StorageParts,
  sector: SectorRef,
  types: readonly SectorFileType[],
  work: () => Promise<void>,
): Promise<void> {
  const [first, ...rest] = types
  if (first === undefined) return work()
  return parts.locks.run(relativeName(first, sector.ID), () => underFileLocks(parts, sector, rest, work))
}
