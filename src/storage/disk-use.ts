import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { errorCode } from '../base/errors.ts'
import { diskUsage } from '../native/space.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import type { StoragePath } from './storage-path.ts'

/**
 * Bytes that a sector file takes on its disk, under its final name and under every temporary one
 * (`fetching/<name>` of the field, `fetching/<name>.<op>` of ours).
 */
export async function bytesOnDisk(
  path: StoragePath,
  type: SectorFileType,
  sector: SectorId,
): Promise<number> {
  const name = sectorName(sector)
  const fetching = path.fetchingOf(type)
  const unfinished = await readdir(fetching).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  })
  const places = unfinished
    .filter((each) => each === name || each.startsWith(`${name}.`))
    .map((each) => join(fetching, each))
  const sizes = await Promise.all([path.fileOf(type, sector), ...places].map((place) => diskUsage(place)))
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
}

/** A walk is not repeated before this many times its own length has passed, and not within 5 s. */
const REST_FACTOR = 20
const REST_MS = 5000

/**
 * Disk use of whole paths, for those with a quota. Walking a big NFS store takes minutes: one walk at a time
 * per path, the latest answer meanwhile.
 */
export class PathUse {
  readonly #clock: Clock
  readonly #known = new Map<string, { bytes: number; nextMs: number }>()
  readonly #walks = new Map<string, Promise<number>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async usedBytes(path: StoragePath): Promise<number> {
    const known = this.#known.get(path.id)
    if (known !== undefined && this.#clock.monotonicMs() < known.nextMs) return known.bytes
    const walk = this.#walks.get(path.id) ?? this.#walk(path)
    // Nobody waits for a repeated walk, so nobody else would hear of its failure: the old answer stands.
    if (known !== undefined) {
      walk.catch(() => undefined)
      return known.bytes
    }
    return walk
  }

  #walk(path: StoragePath): Promise<number> {
    const startedMs = this.#clock.monotonicMs()
    const walk = diskUsage(path.directory)
      .then((bytes) => {
        const endedMs = this.#clock.monotonicMs()
        const restMs = Math.max(REST_MS, REST_FACTOR * (endedMs - startedMs))
        this.#known.set(path.id, { bytes: bytes ?? 0, nextMs: endedMs + restMs })
        return bytes ?? 0
      })
      .finally(() => this.#walks.delete(path.id))
    this.#walks.set(path.id, walk)
    return walk
  }
}
