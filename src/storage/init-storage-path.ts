import { randomUUID } from 'node:crypto'
import { link, open, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { formatBytes } from '../base/bytes.ts'
import { errorCode } from '../base/errors.ts'
import { makeDirectories } from '../base/make-directories.ts'
import { syncDirectory } from '../base/write-durably.ts'
import { storageError } from './errors.ts'
import { METAFILE, readStorageMeta, type StorageMeta } from './sector-store.ts'

export interface InitOptions {
  /** Ranks the path among others; the field's default is 10. */
  readonly weight: number
  readonly canSeal: boolean
  readonly canStore: boolean
  /** Quota in bytes, 0 for none. */
  readonly maxStorageBytes: number
  readonly groups: readonly string[]
  readonly allowTo: readonly string[]
}

/**
 * Makes a directory a storage path, as lotus' `storage attach --init` does: same keys, 2 spaces, 0644.
 * @throws StorageError ALREADY_INITIALISED when it is one, BAD_METAFILE when it would be for nothing
 */
export async function initStoragePath(directory: string, options: InitOptions): Promise<StorageMeta> {
  if (!options.canSeal && !options.canStore) {
    throw storageError({
      code: 'BAD_METAFILE',
      level: 'permanent',
      message: 'a storage path must be for sealing, for storing or both: give --seal, --store or both',
      storagePath: directory,
    })
  }
  const meta = {
    ID: randomUUID(),
    Weight: options.weight,
    CanSeal: options.canSeal,
    CanStore: options.canStore,
    MaxStorage: options.maxStorageBytes,
    Groups: orNull(options.groups),
    AllowTo: orNull(options.allowTo),
    AllowTypes: null,
    DenyTypes: null,
    AllowMiners: null,
    DenyMiners: null,
  }
  try {
    await makeDirectories(directory, 0o755)
    await createMetafile(directory, JSON.stringify(meta, null, 2))
  } catch (error) {
    throw (await fullFilesystem(directory, error)) ?? notMakeable(directory, error)
  }
  return readStorageMeta(directory)
}

/** link(2) never replaces: two operators who init one directory do not end with two ids. */
async function createMetafile(directory: string, text: string): Promise<void> {
  const temporary = join(directory, `.${METAFILE}.${randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      await file.chmod(0o644)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(temporary, join(directory, METAFILE))
  } catch (cause) {
    if (errorCode(cause) !== 'EEXIST') throw cause
    throw storageError({
      code: 'ALREADY_INITIALISED',
      level: 'permanent',
      message: `${directory} is a storage path already: attach it without --init`,
      storagePath: directory,
    })
  } finally {
    await rm(temporary, { force: true })
  }
  await syncDirectory(directory)
}

const FULL = ['ENOSPC', 'EDQUOT']

/** The directory may not exist yet: its nearest ancestor lies on the same filesystem. */
async function fullFilesystem(directory: string, error: unknown): Promise<Error | null> {
  const code = errorCode(error) ?? ''
  if (!FULL.includes(code)) return null
  let place = directory
  let stats = await statfs(place).catch(() => null)
  while (stats === null && place !== dirname(place)) {
    place = dirname(place)
    stats = await statfs(place).catch(() => null)
  }
  const { bavail, blocks, bsize, ffree } = stats ?? { bavail: 0, blocks: 0, bsize: 0, ffree: 0 }
  const left = `${formatBytes(bavail * bsize)} of ${formatBytes(blocks * bsize)} and ${ffree} inodes are free`
  const message = `${directory} is on a full filesystem: ${left} (${code}); make room there, or give a place on another disk`
  return storageError({ code: 'NO_SPACE', level: 'permanent', message, storagePath: directory })
}

/** What mkdir(2), open(2) and link(2) say of a bad place, in an operator's words; other errors as they are. */
function notMakeable(directory: string, error: unknown): unknown {
  const words: Readonly<Record<string, string>> = {
    EEXIST: 'is not a directory; a storage path is one',
    ENOTDIR: 'lies below something that is not a directory',
    ENOENT:
      'cannot be made: nobody makes directories on its filesystem (/proc is such a one); give a place on a disk',
    EROFS: 'is on a filesystem that is mounted read-only; mount it read-write first',
    EACCES: 'may not be written to by this user; change its owner or mode first',
    EPERM: 'may not be written to by this user; change its owner or mode first',
  }
  const code = errorCode(error) ?? ''
  if (!(code in words)) return error
  const message = `${directory} ${words[code]} (${code})`
  return storageError({ code: 'BAD_PATH', level: 'permanent', message, storagePath: directory })
}

function orNull(words: readonly string[]): readonly string[] | null {
  return words.length === 0 ? null : words
}
