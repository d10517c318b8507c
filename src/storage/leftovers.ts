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
/** A download that nobody has gone on with for so long is not wanted any more; a working day of a broken network is. */
const KEPT_MS = 24 * 3600_000

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
  const kept = await keptDownloads(parts, path)
  for (const leftover of await mover.leftovers(path.directory)) {
    if (leftover.owned || kept.has(leftover.name)) continue
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

/**
 * Downloads of this node that were cut and can be gone on from: the data with its record, not too old.
 * @returns names below the path of both
 */
async function keptDownloads(parts: StorageParts, path: StoragePath): Promise<ReadonlySet<string>> {
  const { mover, operations, clock } = parts
  const all = await mover.leftovers(path.directory)
  const modified = new Map(all.map(({ name, modifiedMs }) => [name, modifiedMs]))
  const kept = new Set<string>()
  for (const { name, modifiedMs } of all) {
    const { data, record } = operations.resumable(name.slice(0, name.lastIndexOf('.')))
    // The record is written with each mark, so its age is that of the download.
    if (name === record && modified.has(data) && clock.now() - modifiedMs < KEPT_MS) kept.add(name).add(data)
  }
  return kept
}

/** Removes cut downloads that nobody has gone on with: the sector went elsewhere, or is no more. */
export async function forgetOldDownloads(parts: StorageParts, path: StoragePath): Promise<void> {
  const { mover, operations, locks, log } = parts
  const kept = await keptDownloads(parts, path)
  for (const { name } of await mover.leftovers(path.directory)) {
    const suffix = name.slice(name.lastIndexOf('.') + 1)
    if (!operations.isResumable(suffix) || kept.has(name)) continue
    const [type = '', , leaf = ''] = name.split('/')
    // Under the file's lock, and looked at again: a fetch may just have taken it up.
    await locks.run(`${type}/${leaf.slice(0, leaf.lastIndexOf('.'))}`, async () => {
      if ((await keptDownloads(parts, path)).has(name)) return
      await mover.discard(path.directory, name)
      log.info('a download that was cut and not gone on with was removed', {
        storagePath: path.id,
        file: name,
      })
    })
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
