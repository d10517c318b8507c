import { mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { durably } from '../base/durable-steps.ts'
import { describeError } from '../base/errors.ts'
import { syncDirectory } from '../base/write-durably.ts'
import { FILE_TYPE_BIT, type SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { asStorageError, storageError } from './errors.ts'
import { isThere } from './local-paths.ts'
import type { StorageParts } from './parts.ts'
import { QUARANTINE } from './quarantine.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

export interface RemoveOptions {
  /**
   * For requests of other nodes: the last copy in a store path is put aside instead, and what a task of this node
   * is writing is not touched.
   */
  readonly quarantineLastStoreCopy: boolean
}

/**
 * Removes one type of a sector from every own path but those in `keep`.
 * @throws StorageError NOT_HELD when no path of this node has it, PATH_PARKED, BUSY
 */
export async function removeFiles(
  parts: StorageParts,
  sector: SectorId,
  type: SectorFileType,
  keep: readonly string[],
  { quarantineLastStoreCopy }: RemoveOptions,
): Promise<void> {
  await parts.locks.run(relativeName(type, sector), async () => {
    const holders = await parts.paths.holdersOf(type, sector)
    // "Nowhere here" must not be said of a file on a disk that does not answer: whoever asked would take it for gone.
    const name = relativeName(type, sector)
    const silent = parts.paths.all().find((path) => path.isSilent && path.announced.has(name))
    if (silent !== undefined && !keep.includes(silent.id)) throw silent.parkedError()
    await dropStale(parts, sector, type, holders)
    if (holders.length === 0) {
      throw storageError({
        code: 'NOT_HELD',
        level: 'permanent',
        message: `${type} of ${sectorName(sector)} lies on no path of this node`,
        sector,
      })
    }
    for (const path of holders.filter(({ id }) => !keep.includes(id))) {
      if (quarantineLastStoreCopy) await removeForStranger(parts, path, type, sector)
      else await removeFrom(parts, path, type, sector)
    }
  })
}

/** Removes a sector file of one path: served no more, gone from the disk, then dropped from the index. */
export async function removeFrom(
  parts: StorageParts,
  path: StoragePath,
  type: SectorFileType,
  sector: SectorId,
): Promise<void> {
  await withoutNews(path, type, sector, () => removeDropped(parts, path, type, sector))
}

/** A look at the directory between hiding and unlinking must not declare the file once more. */
export async function withoutNews(
  path: StoragePath,
  type: SectorFileType,
  sector: SectorId,
  work: () => Promise<void>,
): Promise<void> {
  const stop = path.startMaking(type, sector)
  try {
    await work()
  } finally {
    stop()
  }
}

async function removeDropped(
  parts: StorageParts,
  path: StoragePath,
  type: SectorFileType,
  sector: SectorId,
): Promise<void> {
  const name = relativeName(type, sector)
  await path.assertIdentity()
  parts.declarations.hide(path, type, sector)
  const removed = durably('file.removed', () => parts.mover.remove(path.directory, name))
  const { allocatedBytes } = await removed.catch(async (cause: unknown) => {
    // A directory loses its name first. What kept it is declared again by the next look at its directory.
    if (!(await isThere(path.fileOf(type, sector)))) await parts.declarations.drop(path, type, sector)
    throw asStorageError(cause, `${name} could not be removed from ${path.directory}`, {
      sector,
      storagePath: path.id,
    })
  })
  if (type === 'cache') await parts.records.remove(sector, path.id)
  await parts.declarations.drop(path, type, sector)
  parts.log.info('sector file removed', {
    sector: sectorName(sector),
    type,
    storagePath: path.id,
    bytes: allocatedBytes,
  })
}

async function removeForStranger(
  parts: StorageParts,
  path: StoragePath,
  type: SectorFileType,
  sector: SectorId,
): Promise<void> {
  if (path.inTheMaking.has(relativeName(type, sector))) {
    throw storageError({
      code: 'BUSY',
      level: 'temporary',
      message: `${type} of ${sectorName(sector)} is being written by a task of this node: it is not removed`,
      sector,
      storagePath: path.id,
    })
  }
  if (path.meta.CanStore && (await isLastStoreCopy(parts, path, type, sector)))
    await withoutNews(path, type, sector, () => putAside(parts, path, type, sector))
  else await removeFrom(parts, path, type, sector)
}

/** Whether no other store path is known to hold it. An index that does not answer knows of none. */
async function isLastStoreCopy(
  parts: StorageParts,
  path: StoragePath,
  type: SectorFileType,
  sector: SectorId,
): Promise<boolean> {
  try {
    const holders = await parts.index.StorageFindSector(sector, FILE_TYPE_BIT[type], 0, false)
    return !holders.some((holder) => holder.CanStore && holder.ID !== path.id)
  } catch (error) {
    parts.log.warn('the index could not say who else holds a file', { error: describeError(error) })
    return true
  }
}

/** Renames the file out of sight, durably. Nothing of ours removes it there: that is for an operator to do. */
async function putAside(
  parts: StorageParts,
  path: StoragePath,
  type: SectorFileType,
  sector: SectorId,
): Promise<void> {
  const file = path.fileOf(type, sector)
  const aside = join(path.directory, QUARANTINE, type, `${sectorName(sector)}.${parts.operations.next()}`)
  await path.assertIdentity()
  try {
    await mkdir(dirname(aside), { recursive: true, mode: 0o755 })
    parts.declarations.hide(path, type, sector)
    await rename(file, aside)
    await syncDirectory(dirname(aside))
    await syncDirectory(dirname(file))
  } catch (cause) {
    throw asStorageError(cause, `${file} could not be put aside`, { sector, storagePath: path.id })
  }
  if (type === 'cache') await parts.records.remove(sector, path.id)
  await parts.declarations.drop(path, type, sector)
  parts.log.warn('the last copy in a store path was removed by another node: it is kept in quarantine', {
    sector: sectorName(sector),
    type,
    storagePath: path.id,
    file: aside,
    hint: "'storage quarantine' lists it; 'storage restore' puts it back, 'storage cleanup' removes it",
  })
}

/** Own paths that the index was told of and that hold nothing any more. */
async function dropStale(
  parts: StorageParts,
  sector: SectorId,
  type: SectorFileType,
  holders: readonly StoragePath[],
): Promise<void> {
  const name = relativeName(type, sector)
  for (const path of parts.paths.usable()) {
    if (holders.includes(path) || !path.announced.has(name)) continue
    // The directory below an unmounted disk is empty too.
    await path.assertIdentity()
    await parts.declarations.drop(path, type, sector)
  }
}
