import { type FileHandle, open } from 'node:fs/promises'
import { errorCode } from '../base/errors.ts'
import { writeDurably } from '../base/write-durably.ts'
import { apiError } from './errors.ts'

const OWNER_ONLY = 0o600
const OTHERS = 0o077

/**
 * Reads a file that only its owner may read: a token or the secret that signs them.
 * @returns its text without surrounding space, or null when there is none
 * @throws ApiError SECRET_EXPOSED when others may read or write it, SECRET_FOREIGN when it is not ours
 */
export async function readSecretFile(path: string): Promise<string | null> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
  try {
    // Of the open file, not of the name: nobody can exchange it in between.
    const { mode, uid } = await file.stat()
    if ((mode & OTHERS) !== 0) throw exposed(path, mode)
    if (process.getuid !== undefined && uid !== process.getuid()) {
      throw apiError(
        'SECRET_FOREIGN',
        `${path} belongs to user ${uid}, not to the user this daemon runs as; chown it`,
      )
    }
    return (await file.readFile('utf8')).trim()
  } finally {
    await file.close()
  }
}

/** Writes such a file, made private before a byte is in it; an existing one must have been private too. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  if ((await readSecretFile(path)) === text.trim()) return
  await writeDurably(path, text, { mode: OWNER_ONLY })
}

function exposed(path: string, mode: number) {
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  return apiError(
    'SECRET_EXPOSED',
    `${path} has mode ${octal}: others on this machine may have read it; make new tokens, or if nobody else can log in here: chmod 600 ${path}`,
  )
}
