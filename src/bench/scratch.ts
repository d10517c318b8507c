import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { formatBytes } from '../base/bytes.ts'
import { errorCode } from '../base/errors.ts'
import { benchError } from './errors.ts'

/** Free space that a bench leaves untouched. */
const MARGIN_BYTES = 64 * 2 ** 20
const PIECE_BYTES = 2 ** 20

/**
 * A directory of our own below one that the operator named.
 * @param neededBytes what will lie in it at most
 * @throws BenchError BAD_DIRECTORY, NO_SPACE
 */
export async function makeScratch(directory: string, neededBytes: number): Promise<string> {
  const path = resolve(directory)
  try {
    const { bavail, bsize } = await statfs(path)
    const [wanted, free] = [neededBytes + MARGIN_BYTES, bavail * bsize]
    if (free < wanted) {
      const words = `needs ${formatBytes(wanted)} and has ${formatBytes(free)} free`
      throw benchError('NO_SPACE', `${path} ${words}; take a smaller --size or another directory`)
    }
    return await mkdtemp(join(path, 'sealyard-bench-'))
  } catch (cause) {
    const words: Readonly<Record<string, string>> = {
      ENOENT: 'is not there; make it, or name another directory',
      ENOTDIR: 'is not a directory; name another',
      EACCES: 'cannot be written by this user; name another directory',
      EROFS: 'is mounted read-only; name another directory',
    }
    const reason = words[errorCode(cause) ?? '']
    if (reason === undefined) throw cause
    throw benchError('BAD_DIRECTORY', `${path} ${reason}`)
  }
}

export async function removeScratch(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 })
}

/** A run of data in a file. */
export interface DataRange {
  readonly at: number
  readonly bytes: number
}

/**
 * Writes a file durably: data that does not compress, as a sealed sector's, and holes where there is none.
 * @param bytes length of the file
 */
export async function writeSectorFile(
  path: string,
  bytes: number,
  data: readonly DataRange[],
  signal: AbortSignal,
): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  const piece = randomBytes(PIECE_BYTES)
  const file = await open(path, 'wx', 0o644)
  try {
    for (const range of data) {
      const end = range.at + range.bytes
      for (let at = range.at; at < end; at += PIECE_BYTES) {
        signal.throwIfAborted()
        // Each piece differs, or a filesystem that looks for doubles would store one.
        piece.writeDoubleLE(at, 0)
        await file.write(piece, 0, Math.min(PIECE_BYTES, end - at), at)
      }
    }
    await file.truncate(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}
