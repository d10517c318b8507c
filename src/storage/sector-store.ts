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
    throw storageError({
      code: errorCode(cause) === 'ENOTDIR' ? 'BAD_PATH' : 'BAD_METAFILE',
      level: 'permanent',
      message: unreadable(directory, file, cause),
      storagePath: directory,
      cause,
    })
  }
}

/** In an operator's words, what is wrong with a metafile and what to do. */
function unreadable(directory: string, file: string, cause: unknown): string {
  if (errorCode(cause) === 'ENOTDIR') return `${directory} is not a directory; a storage path is one`
  if (errorCode(cause) === 'ENOENT') {
    return `${file} does not exist: is the disk mounted? To make a new storage path use 'storage attach --init'`
  }
  if (!(cause instanceof z.ZodError || cause instanceof SyntaxError)) {
    return `${file} cannot be read: ${describeError(cause)}`
  }
  const [issue] = cause instanceof z.ZodError ? cause.issues : []
  const wrong =
    issue === undefined ? describeError(cause) : `${issue.path.join('.') || 'all of it'}: ${issue.message}`
  return `${file} cannot be used: ${wrong}; correct it, or restore it from a backup`
}

/** Whether an ID is written as the field's tools make them. */
export function isUuid(id: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)
}

/** What the index is told of a path. */
export function storageInfoOf(meta: StorageMeta, url: string): StorageInfo {
  return { ...meta, URLs: [url] }
}
