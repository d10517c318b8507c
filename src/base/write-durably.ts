import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface WriteDurablyOptions {
  /** Permission bits, exact whatever the umask; 0600 for a token. */
  readonly mode?: number
}

/**
 * Writes a small file so that a power cut leaves the old content or the new, never part of one:
 * private name in the same directory, fsync, rename, fsync of the directory.
 * @throws the system's error (ENOSPC, EACCES, …); the old file then stands and no temporary one stays
 */
export async function writeDurably(
  path: string,
  data: string | Uint8Array,
  options: WriteDurablyOptions = {},
): Promise<void> {
  const directory = dirname(path)
  const temporary = join(directory, `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx', options.mode ?? 0o644)
    try {
      // The umask has cut the mode given to open.
      if (options.mode !== undefined) await file.chmod(options.mode)
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(directory)
}

/** Makes renames and unlinks in a directory survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
