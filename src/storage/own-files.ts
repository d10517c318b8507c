import { unsealedAllocated } from '../native/unsealed.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { paddedSize, sealProof } from '../sectors/proof-types.ts'
import { type SectorId, type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { asStorageError, storageError } from './errors.ts'
import type { LocalFile } from './node-storage.ts'
import type { StorageParts } from './parts.ts'
import { relativeName, type StoragePath } from './storage-path.ts'
import { ofWrongLength } from './whole-files.ts'

// Questions to the disks of this node about one sector file.

/** Where it lies, in a store path if it does; null when it does not. */
export async function findFile(
  { paths }: StorageParts,
  type: SectorFileType,
  sector: SectorId,
): Promise<LocalFile | null> {
  const holders = await paths.holdersOf(type, sector)
  const path = holders.find(({ meta }) => meta.CanStore) ?? holders[0]
  return path === undefined ? null : { pathId: path.id, file: path.fileOf(type, sector) }
}

/** Serves whole files that nobody declared; false when there are none. */
export async function serveFoundFile(
  parts: StorageParts,
  type: SectorFileType,
  sector: SectorId,
): Promise<boolean> {
  const { paths, declarations, settings } = parts
  const whole: StoragePath[] = []
  const name = relativeName(type, sector)
  for (const path of await paths.holdersOf(type, sector)) {
    // Another disk may lie there, with files of the same names.
    if (path.isAway || path.inTheMaking.has(name)) continue
    const wrong = await ofWrongLength(path, type, [sector], settings.sealedLengths ?? [])
    if (wrong.length === 0) whole.push(path)
  }
  for (const path of whole) declarations.serveFound(path, type, sector)
  const away = paths.all().find((path) => path.isAway && path.announced.has(name))
  if (whole.length === 0 && away !== undefined) throw away.parkedError()
  return whole.length > 0
}

/**
 * Whether one unsealed copy here holds all of a range.
 * @param offset unpadded bytes, as `size`
 * @throws StorageError NOT_HELD; IO for a file that does not say what it holds
 */
export async function isAllocated(
  { paths }: StorageParts,
  sector: SectorRef,
  offset: number,
  size: number,
): Promise<boolean> {
  const holders = await paths.holdersOf('unsealed', sector.ID)
  const { sectorSize } = sealProof(sector.ProofType)
  // The trailer counts padded bytes; a range that is no multiple of 127 reaches into the next 128.
  const start = paddedSize(Math.floor(offset / 127) * 127)
  const end = paddedSize(Math.ceil((offset + size) / 127) * 127)
  for (const path of holders) {
    const file = path.fileOf('unsealed', sector.ID)
    const isThere = await unsealedAllocated(file, sectorSize, start, end - start).catch((cause: unknown) => {
      const where = { sector: sector.ID, storagePath: path.id }
      throw asStorageError(cause, `${file} does not say what it holds`, where)
    })
    if (isThere) return true
  }
  if (holders.length > 0) return false
  throw storageError({
    code: 'NOT_HELD',
    level: 'permanent',
    message: `unsealed of ${sectorName(sector.ID)} lies on no path of this node`,
    sector: sector.ID,
  })
}
