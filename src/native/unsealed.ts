import { addon } from './addon.ts'
import { orThrow, translated } from './errors.ts'

/**
 * Whether every byte of a range of an unsealed file is allocated, by the file's trailer. All numbers are
 * padded bytes (128 for 127 of data); an empty range never is.
 * @throws NativeError NOT_FOUND, or INVALID if the file is cut short or has no valid trailer
 */
export async function unsealedAllocated(
  path: string,
  sectorSizeBytes: number,
  offset: number,
  size: number,
): Promise<boolean> {
  const answer = translated(() => addon.unsealedAllocated(path, sectorSizeBytes, offset, size))
  return orThrow(await answer).all
}
