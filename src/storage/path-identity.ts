import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, errorCode } from '../base/errors.ts'
import { syncDirectory } from '../base/write-durably.ts'
import { StorageError } from './errors.ts'
import { METAFILE, readStorageMeta } from './sector-store.ts'

/** Sealyard's own directory at the root of a storage path; nothing else of ours lies beside lotus' files. */
export const OWN_DIRECTORY = '.sealyard'

/** What a directory looked like when it was opened. Device and inode only detect change; the id is who it is. */
export interface PathIdentity {
  readonly id: string
  readonly device: number
  readonly inode: number
  /** Same nonce = same directory, whatever the mounts look like; null on a read-only path without one. */
  readonly nonce: string | null
}

/** Looks at a directory for the first time, and gives it a nonce when it has none. */
export async function takeIdentity(directory: string, id: string): Promise<PathIdentity> {
  const { dev, ino } = await stat(directory)
  return { id, device: dev, inode: ino, nonce: await readOrMakeNonce(directory) }
}

/**
 * Looks again, through the path: an unmounted disk leaves an empty directory there, and a writer would fill
 * the disk below it without an error.
 * @returns null when it is the same, else a sentence that says what changed
 */
export async function changeOf(directory: string, known: PathIdentity): Promise<string | null> {
  try {
    const meta = await readStorageMeta(directory)
    if (meta.ID !== known.id) return `its ID is now ${meta.ID}, it was ${known.id}: another disk lies there`
    const { dev, ino } = await stat(directory)
    if (dev !== known.device || ino !== known.inode) {
      return 'another directory with the same ID lies there: a copy, or mounted anew? If it is the right one, detach and attach it'
    }
    if (known.nonce === null) return null
    const nonce = await readNonce(directory)
    return nonce === known.nonce ? null : 'its nonce changed: a copy of the path lies there'
  } catch (error) {
    const isGone = error instanceof StorageError && errorCode(error.cause) === 'ENOENT'
    return isGone ? `its ${METAFILE} is no longer there: is its disk mounted?` : describeError(error)
  }
}

const NONCE = /^[0-9a-f]{32}$/

/** On a full disk a path goes without a nonce: it can still be read, proven from and served. */
const FULL = ['ENOSPC', 'EDQUOT']

async function readOrMakeNonce(directory: string): Promise<string | null> {
  const own = join(directory, OWN_DIRECTORY)
  // Made whole under another name first: however slow the disk is, nobody ever sees half a nonce.
  const made = `${nonceFile(directory)}-${randomBytes(8).toString('hex')}`
  try {
    const known = await readNonce(directory)
    if (known !== null) return known
    await mkdir(own, { recursive: true, mode: 0o755 })
    await writeFile(made, randomBytes(16).toString('hex'), { flag: 'wx', mode: 0o644, flush: true })
    await publishNonce(made, directory)
    await syncDirectory(own)
  } catch (error) {
    const code = errorCode(error) ?? ''
    if (![...FULL, 'EROFS', 'EACCES', 'EPERM'].includes(code)) throw error
  } finally {
    await rm(made, { force: true }).catch(() => undefined)
  }
  return readNonce(directory)
}

/** The first one wins; what lies there and is no nonce was cut off by a power cut, and is replaced. */
async function publishNonce(made: string, directory: string): Promise<void> {
  try {
    await link(made, nonceFile(directory))
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') return rename(made, nonceFile(directory))
    if ((await readNonce(directory)) === null) await rename(made, nonceFile(directory))
  }
}

/** Null where there is none, and where something else lies. */
async function readNonce(directory: string): Promise<string | null> {
  const text = await readFile(nonceFile(directory), 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return ''
    throw error
  })
  return NONCE.test(text.trim()) ? text.trim() : null
}

function nonceFile(directory: string): string {
  return join(directory, OWN_DIRECTORY, 'nonce')
}
