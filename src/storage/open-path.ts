import type { Logger } from '../base/log.ts'
import { filesystemOf } from '../native/space.ts'
import { takeIdentity } from './path-identity.ts'
import { makeTypeDirectories } from './scan-path.ts'
import { readStorageMeta } from './sector-store.ts'
import { locate } from './storage-json.ts'
import { StoragePath } from './storage-path.ts'

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
  return new StoragePath({ written, directory, identity, filesystemType: type, meta })
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
