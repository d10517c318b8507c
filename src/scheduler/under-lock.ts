import type { SectorIndex } from '../sector-index/sector-index.ts'
import type { FileTypeBits } from '../sectors/file-types.ts'
import type { SectorId } from '../sectors/sector-id.ts'

export interface Locks {
  readonly index: SectorIndex
  readonly sector: SectorId
  readonly read: FileTypeBits
  readonly write: FileTypeBits
}

/**
 * Works with a sector's files locked. A caller that gives up is let go at once; the lock stays until the work has
 * ended, for a worker that has begun goes on, and nobody may remove files from under it.
 */
export async function underLock<T>(
  { index, sector, read, write }: Locks,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const release = await index.hold(sector, read, write, signal)
  return untilAborted(
    work().finally(() => release()),
    signal,
  )
}

/** @throws the signal's reason when it fires first; the work goes on */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason)
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
