import { access, constants } from 'node:fs/promises'
import { errorCode } from '../base/errors.ts'

/**
 * What access(2) says of writing to a directory: the kernel's word, `EROFS` even for root; nothing is written for it.
 * @returns its error, or null
 */
export async function writeRefusal(directory: string): Promise<unknown> {
  return access(directory, constants.W_OK).then(
    () => null,
    (error: unknown) => error,
  )
}

/** Whether the filesystem was (re)mounted read-only; ext4 and XFS do so by themselves when their disk fails. */
export async function isMountedReadOnly(directory: string): Promise<boolean> {
  return errorCode(await writeRefusal(directory)) === 'EROFS'
}
