import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../base/bytes.ts'
import { describeError, errorCode } from '../base/errors.ts'
import type { Leftover } from '../native/mover.ts'
import { SCRATCH } from './acquire.ts'
import type { StorageParts } from './parts.ts'
import type { StoragePath } from './storage-path.ts'

/** A directory on its way out has this suffix; the mover takes its final name away before it unlinks its files. */
const BEING_REMOVED = /^removed-[0-9a-f]+-\d+$/
/** Untouched for so long, nobody is unlinking it any more: another daemon on a shared path might be. */
const ABANDONED_MS = 600_000

/**
 * Clears what an earlier run of this node left half done on a path: its own downloads and scratch, known by their
 * names. Others' (a lotus node's, another daemon's on a shared path) may be under way: they are named and kept.
 */
export async function clearLeftovers(parts: StorageParts, path: StoragePath): Promise<void> {
  try {
    await clearDownloads(parts, path)
    await clearScratch(parts, path)
  } catch (error) {
    parts.log.warn('leftovers of an earlier run could not be cleared', {
      storagePath: path.id,
      error: describeError(error),
    })
  }
}

async function clearDownloads(parts: StorageParts, path: StoragePath): Promise<void> {
  const { mover, log } = parts
  for (const leftover of await mover.leftovers(path.directory)) {
    if (leftover.owned) continue
    const fields = { storagePath: path.id, file: leftover.name, size: formatBytes(leftover.bytes) }
    if (mayGo(parts, leftover)) {
      await mover.discard(path.directory, leftover.name)
      log.info('something unfinished of an earlier run was removed', fields)
    } else {
      log.warn(
        "an unfinished transfer is not this node's; it is kept. Remove it if nobody works on it",
        fields,
      )
    }
  }
}

function mayGo({ operations, clock }: StorageParts, { name, modifiedMs }: Leftover): boolean {
  // `s-t01000-7.<op>`: an operation has no dot in it.
  const suffix = name.slice(name.lastIndexOf('.') + 1)
  if (operations.isOurs(suffix)) return true
  return BEING_REMOVED.test(suffix) && clock.now() - modifiedMs > ABANDONED_MS
}

async function clearScratch({ operations }: StorageParts, path: StoragePath): Promise<void> {
  const directory = join(path.directory, SCRATCH)
  const names = await readdir(directory).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  })
  for (const name of names.filter((each) => operations.isOurs(each))) {
    await rm(join(directory, name), { recursive: true, force: true })
  }
}
