import { errorCode } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { filesystemOf } from '../native/space.ts'
import { storageError } from './errors.ts'
import { takeIdentity } from './path-identity.ts'
import { makeTypeDirectories } from './scan-path.ts'
import { isUuid, readStorageMeta } from './sector-store.ts'
import { locate } from './storage-json.ts'
import { StoragePath } from './storage-path.ts'
import { writeRefusal } from './writable.ts'

/**
 * Opens a directory as a storage path: reads who it is, remembers what it looks like, makes what is missing.
 * @throws StorageError BAD_METAFILE
 */
export async function openPath(written: string): Promise<StoragePath> {
  const directory = locate(written)
  const meta = await readStorageMeta(directory)
  const identity = await takeIdentity(directory, meta.ID)
  const { type } = await filesystemOf(directory)
  await makeTypeDirectories(directory)
  const path = new StoragePath({ written, directory, identity, filesystemType: type, meta })
  await path.look()
  return path
}

/**
 * Refuses what an operator asks to attach and nobody could write to. (A node that starts takes such a path: what
 * it holds can still be served.)
 * @throws StorageError BAD_METAFILE, BAD_PATH
 */
export async function assertWritable(directory: string): Promise<void> {
  const meta = await readStorageMeta(directory)
  if (!meta.CanSeal && !meta.CanStore) return
  const cause = await writeRefusal(directory)
  if (cause === null) return
  const use = [meta.CanSeal ? 'sealing' : '', meta.CanStore ? 'storing' : ''].filter(Boolean).join(' and ')
  const todo =
    errorCode(cause) === 'EROFS' ? 'mount it read-write' : 'give this user the right to write to it'
  throw storageError({
    code: 'BAD_PATH',
    level: 'permanent',
    message: `${directory} is for ${use} but cannot be written to (${errorCode(cause)}); ${todo}, then attach it`,
    storagePath: meta.ID,
    cause,
  })
}

/** lotus takes any word for an ID; a hand-written one is likely to be used for a second path some day. */
export function warnOfId(log: Logger, path: StoragePath): void {
  if (isUuid(path.id)) return
  log.warn(
    'the ID in sectorstore.json is no UUID: it is taken as it is, but no other path may ever have it',
    {
      storagePath: path.id,
      directory: path.directory,
    },
  )
}

/** Foreign names are told once per rescan, a few by name: an operator's stray file must not stop a node. */
export function nameForeign(log: Logger, path: StoragePath, type: string, foreign: readonly string[]): void {
  if (foreign.length === 0) return
  log.warn(
    `skipping ${foreign.length} names that are no ${type} files: lotus would refuse to start over them`,
    {
      storagePath: path.id,
      type,
      names: foreign.slice(0, 10),
    },
  )
}
