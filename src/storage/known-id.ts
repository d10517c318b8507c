import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { durably } from '../base/durable-steps.ts'
import { errorCode, isSealyardError } from '../base/errors.ts'
import { writeDurably } from '../base/write-durably.ts'
import type { StorageInfo } from '../protocol/types.ts'
import { storageError } from './errors.ts'
import type { StorageParts } from './parts.ts'
import { OWN_DIRECTORY } from './path-identity.ts'
import type { StoragePath } from './storage-path.ts'

type Parts = Pick<StorageParts, 'index' | 'paths' | 'url'>

/**
 * Keeps the ID under which a directory was attached in `<path>/.sealyard/id`, and refuses another one as long as
 * the old one is in use: one directory under two IDs is counted twice, and copied to itself.
 * @throws StorageError DUPLICATE_PATH
 */
export async function settleId(parts: Parts, path: StoragePath): Promise<void> {
  const known = await readKnownId(path.directory)
  if (known === path.id) return
  if (known !== null) await leaveOldId(parts, path, known)
  const keep = () => writeDurably(idFile(path.directory), path.id, { mode: 0o644 })
  await durably('paths.id-kept', keep).catch((error: unknown) => {
    // A read-only path has nothing written to it by anybody: its ID cannot change either. A full one must be readable.
    if (!['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT'].includes(errorCode(error) ?? '')) throw error
  })
}

async function leaveOldId({ index, paths, url }: Parts, path: StoragePath, known: string): Promise<void> {
  const open = paths.find(known)
  if (open?.isSameDirectory(path)) throw twoIds(path, known, 'this node')
  const info = await infoOf(index, known)
  const others = (info?.URLs ?? []).filter((each) => each !== url)
  if (others.length > 0) throw twoIds(path, known, others.join(', '))
  // Only this node ever served it, and it is not open: the operator gave it another ID.
  if (info !== null && open === null) await index.StorageDetach(known, url)
}

/** What the index knows of an ID; null when it is nobody's. */
async function infoOf(index: Parts['index'], id: string): Promise<StorageInfo | null> {
  try {
    return await index.StorageInfo(id)
  } catch (error) {
    if (isSealyardError(error) && error.level !== 'temporary') return null
    throw error
  }
}

function twoIds(path: StoragePath, known: string, who: string) {
  return storageError({
    code: 'DUPLICATE_PATH',
    level: 'permanent',
    message:
      `${path.directory} has the ID ${path.id} now, but ${who} has it attached as ${known}: put the old ID back ` +
      `into its sectorstore.json. (If it is a copy of that path, remove ${OWN_DIRECTORY}/ in it and attach it again)`,
    storagePath: path.id,
  })
}

async function readKnownId(directory: string): Promise<string | null> {
  const text = await readFile(idFile(directory), 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return ''
    throw error
  })
  return text.trim() === '' ? null : text.trim()
}

function idFile(directory: string): string {
  return join(directory, OWN_DIRECTORY, 'id')
}
