import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { describeError, errorCode } from '../base/errors.ts'
import { syncDirectory } from '../base/write-durably.ts'
import { list } from '../protocol/method.ts'
import type { StorageInfo } from '../protocol/types.ts'
import { storageError } from './errors.ts'

/** Name of the metafile at the root of a storage path. */
export const METAFILE = 'sectorstore.json'

// Older nodes write fewer keys, newer ones more; Go writes an empty list as null.
const metafile = z.object({
  ID: z.string().min(1),
  Weight: z.number().int().nonnegative().default(0),
  CanSeal: z.boolean().default(false),
  CanStore: z.boolean().default(false),
  MaxStorage: z.number().int().nonnegative().default(0),
  Groups: list(z.string()),
  AllowTo: list(z.string()),
  AllowTypes: list(z.string()),
  DenyTypes: list(z.string()),
  AllowMiners: list(z.string()),
  DenyMiners: list(z.string()),
})

/** What a storage path says of itself (`sectorstore.json`), key for key the field's. */
export type StorageMeta = z.output<typeof metafile>

/**
 * Reads a path's metafile; unknown keys are ignored and stay in the file, which nothing rewrites.
 * @throws StorageError BAD_METAFILE (permanent), saying how to make one
 */
export async function readStorageMeta(directory: string): Promise<StorageMeta> {
  const file = join(directory, METAFILE)
  try {
    return metafile.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (cause) {
    const missing = errorCode(cause) === 'ENOENT'
    throw storageError({
      code: 'BAD_METAFILE',
      level: 'permanent',
      message: missing
        ? `${file} does not exist: is the disk mounted? To make a new storage path use 'storage attach --init'`
        : `${file} cannot be used: ${cause instanceof z.ZodError ? z.prettifyError(cause) : describeError(cause)}`,
      storagePath: directory,
      cause,
    })
  }
}

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
  await mkdir(directory, { recursive: true, mode: 0o755 })
  await createMetafile(directory, JSON.stringify(meta, null, 2))
  return metafile.parse(meta)
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

function orNull(words: readonly string[]): readonly string[] | null {
  return words.length === 0 ? null : words
}

/** What the index is told of a path. */
export function storageInfoOf(meta: StorageMeta, url: string): StorageInfo {
  return { ...meta, URLs: [url] }
}
