import { link, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../base/errors.ts'
import { syncDirectory } from '../base/write-durably.ts'
import { diskUsage } from '../native/space.ts'
import type { QuarantinedFile } from '../protocol/types.ts'
import { FILE_TYPE_BIT, FILE_TYPES, fileTypesOf, type SectorFileType } from '../sectors/file-types.ts'
import { parseSectorName, type SectorId } from '../sectors/sector-id.ts'
import { asStorageError, storageError } from './errors.ts'
import { isThere } from './local-paths.ts'
import type { StorageParts } from './parts.ts'
import { OWN_DIRECTORY } from './path-identity.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

/** What a stranger had removed from a store path waits here below the path until an operator lets it go. */
export const QUARANTINE = join(OWN_DIRECTORY, 'quarantine')

/** All that was put aside on this node's paths; one that does not answer has none to show. */
export async function listQuarantine({ paths }: StorageParts): Promise<QuarantinedFile[]> {
  const found = await Promise.all(
    paths.usable().flatMap((path) => FILE_TYPES.map((type) => asideOf(path, type))),
  )
  return found.flat()
}

async function asideOf(path: StoragePath, type: SectorFileType): Promise<QuarantinedFile[]> {
  const directory = join(path.directory, QUARANTINE, type)
  const names = await readdir(directory).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw asStorageError(error, `${directory} cannot be read`, { storagePath: path.id })
  })
  const files = await Promise.all(names.map((name) => describe(path, type, name)))
  return files.filter((file) => file !== null)
}

/** @returns null for what is none of ours, or is gone by now */
async function describe(path: StoragePath, type: SectorFileType, name: string) {
  const sector = parseSectorName(name.slice(0, name.indexOf('.')))
  const file = join(path.directory, QUARANTINE, type, name)
  const stats = await stat(file).catch(() => null)
  if (sector === null || stats === null) return null
  // A rename sets the time of the name, not that of the content: when it was put aside.
  const since = new Date(stats.ctimeMs).toISOString()
  const bytes = (await diskUsage(file)) ?? 0
  return { name, sector, fileType: FILE_TYPE_BIT[type], pathId: path.id, file, bytes, since }
}

/**
 * Removes what was put aside, for good.
 * @returns bytes it took on the disk
 * @throws StorageError NOT_HELD when nothing of this name waits here
 */
export async function removeQuarantined(parts: StorageParts, name: string): Promise<number> {
  const { path, type } = await placeOf(parts, name)
  await path.assertIdentity()
  const root = join(path.directory, QUARANTINE)
  const { allocatedBytes } = await parts.mover.remove(root, `${type}/${name}`).catch((cause: unknown) => {
    throw asStorageError(cause, `${name} could not be removed from ${root}`, { storagePath: path.id })
  })
  parts.log.info('a sector file in quarantine was removed', { name, type, storagePath: path.id })
  return allocatedBytes
}

/**
 * Puts a file back where it was taken from, and declares it.
 * @returns where it lies now
 * @throws StorageError NOT_HELD; BUSY when the sector has such a file there again
 */
export async function restoreQuarantined(parts: StorageParts, name: string): Promise<string> {
  const { path, type, sector } = await placeOf(parts, name)
  return parts.locks.run(relativeName(type, sector), async () => {
    const [aside, file] = [join(path.directory, QUARANTINE, type, name), path.fileOf(type, sector)]
    await path.assertIdentity()
    if (await isThere(file)) throw isThereAgain(file, sector, path.id)
    try {
      await giveBack(aside, file)
    } catch (cause) {
      throw asStorageError(cause, `${aside} could not be put back to ${file}`, { storagePath: path.id })
    }
    await parts.declarations.declare(path, type, sector, path.meta.CanStore)
    parts.log.info('a sector file in quarantine was put back', { name, type, storagePath: path.id })
    return file
  })
}

/** link(2) never replaces what has the name meanwhile; a directory is replaced by rename(2) only when it is empty. */
async function giveBack(aside: string, file: string): Promise<void> {
  if ((await stat(aside)).isDirectory()) await rename(aside, file)
  else {
    await link(aside, file)
    await syncDirectory(join(file, '..'))
    await rm(aside)
  }
  await syncDirectory(join(file, '..'))
  await syncDirectory(join(aside, '..'))
}

interface QuarantinePlace {
  readonly path: StoragePath
  readonly type: SectorFileType
  readonly sector: SectorId
}

async function placeOf(parts: StorageParts, name: string): Promise<QuarantinePlace> {
  const found = (await listQuarantine(parts)).find((file) => file.name === name)
  const [type] = found === undefined ? [] : fileTypesOf(found.fileType)
  if (found !== undefined && type !== undefined) {
    return { path: parts.paths.get(found.pathId), type, sector: found.sector }
  }
  throw storageError({
    code: 'NOT_HELD',
    level: 'permanent',
    message: `nothing named ${name} is in quarantine on this node; 'storage quarantine' lists what is`,
  })
}

function isThereAgain(file: string, sector: SectorId, storagePath: string) {
  return storageError({
    code: 'BUSY',
    level: 'permanent',
    message: `${file} is there again: compare both, and remove one of them`,
    sector,
    storagePath,
  })
}
