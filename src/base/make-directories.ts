import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from './errors.ts'

/**
 * `mkdir -p`. Node's own `recursive` goes round for ever where mkdir(2) answers ENOENT though the parent is
 * there, as below /proc.
 * @param mode permission bits of each directory that is made, cut by the umask
 * @throws the system's error: EEXIST for something that is no directory, ENOENT where nothing can be made
 */
export async function makeDirectories(directory: string, mode: number): Promise<void> {
  try {
    await mkdir(directory, { mode })
  } catch (error) {
    if (await isDirectory(directory)) return
    const parent = dirname(directory)
    if (errorCode(error) !== 'ENOENT' || parent === directory) throw error
    if (!(await isDirectory(parent))) await makeDirectories(parent, mode)
    await makeLast(directory, mode)
  }
}

/** Its parent is there now; somebody else may make it at the same moment. */
async function makeLast(directory: string, mode: number): Promise<void> {
  try {
    await mkdir(directory, { mode })
  } catch (error) {
    if (!(await isDirectory(directory))) throw error
  }
}

/** Through symlinks: a storage path may be one. */
async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
