import { link, lstat, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '../base/errors.ts'
import { syncDirectory } from '../base/write-durably.ts'
import { storageError } from './errors.ts'

/** Filesystems without hard links: some FUSE and SMB mounts. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

/**
 * Gives a complete, fsynced download its final name, durably and never over another file.
 *
 * Node has no renameat2(RENAME_NOREPLACE). link(2) refuses a name that is taken; for a directory rename(2) itself
 * refuses one that is not empty, and a file.
 * @throws StorageError BUSY when the name is taken
 */
export async function commitFetched(temporary: string, final: string, isDirectory: boolean): Promise<void> {
  try {
    if (isDirectory) await rename(temporary, final)
    else await moveFile(temporary, final)
  } catch (cause) {
    if (!['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes(errorCode(cause) ?? '')) throw cause
    throw storageError({
      code: 'BUSY',
      level: 'temporary',
      message: `${final} came to be while it was fetched; nothing was overwritten`,
      cause,
    })
  }
  await syncDirectory(dirname(final))
  await syncDirectory(dirname(temporary))
}

async function moveFile(temporary: string, final: string): Promise<void> {
  try {
    await link(temporary, final)
  } catch (error) {
    if (!NO_LINKS.includes(errorCode(error) ?? '')) throw error
    await renameUnlessTaken(temporary, final)
    return
  }
  await unlink(temporary)
}

/** Two looks instead of one step; the file's lock keeps this node's own transfers apart. */
async function renameUnlessTaken(temporary: string, final: string): Promise<void> {
  const isTaken = await lstat(final).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') return false
      throw error
    },
  )
  if (isTaken) throw Object.assign(new Error(`${final} exists`), { code: 'EEXIST' })
  await rename(temporary, final)
}
