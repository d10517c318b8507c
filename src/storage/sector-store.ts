import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { describeError, errorCode } from '../base/errors.ts'
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

/** What the index is told of a path. */
export function storageInfoOf(meta: StorageMeta, url: string): StorageInfo {
  return { ...meta, URLs: [url] }
}
