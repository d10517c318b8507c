import { describeError, isSealyardError } from '../base/errors.ts'
import { FILE_TYPE_BIT, type SectorFileType } from '../sectors/file-types.ts'
import { allowsMiner, allowsType } from '../sectors/path-rules.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import type { PathKind } from '../sectors/space-tables.ts'
import { asStorageError, type StorageError, storageError } from './errors.ts'
import type { StorageParts } from './parts.ts'
import type { StoragePath } from './storage-path.ts'

/** One sector file to be placed. */
export interface Placement {
  readonly sector: SectorRef
  readonly type: SectorFileType
  readonly kind: PathKind
}

/** Whether a path is meant for such files: its use, and its filters of types and miners. */
export function fits(path: StoragePath, { sector, type, kind }: Placement): boolean {
  const { meta } = path
  return servesKind(path, kind) && allowsType(meta, type) && allowsMiner(meta, sector.ID.Miner)
}

export function servesKind({ meta }: StoragePath, kind: PathKind): boolean {
  return kind === 'sealing' ? meta.CanSeal : meta.CanStore
}

/**
 * Own paths with room for a file, best first as the index ranks them (Available × Weight).
 * @throws StorageError NO_PATH when none is meant for such files
 */
export async function rankedPaths(parts: StorageParts, placement: Placement): Promise<StoragePath[]> {
  const fitting = parts.paths.usable().filter((path) => fits(path, placement))
  if (fitting.length === 0) throw noPath(placement)
  const { sector, type, kind } = placement
  const { sectorSize } = sealProof(sector.ProofType)
  const best = await parts.index
    .StorageBestAlloc(FILE_TYPE_BIT[type], sectorSize, kind, sector.ID.Miner)
    .catch((cause: unknown) => {
      if (meansFull(cause)) return []
      throw asStorageError(cause, 'the index did not say where there is room', { sector: sector.ID })
    })
  return best.flatMap(({ ID }) => fitting.find((path) => path.id === ID) ?? [])
}

/** The first path that is still the directory it was. */
export async function firstSound(
  parts: StorageParts,
  paths: readonly StoragePath[],
): Promise<StoragePath | null> {
  for (const path of paths) {
    try {
      await path.assertIdentity()
      return path
    } catch (error) {
      parts.log.error('a storage path is not used', { storagePath: path.id, error: describeError(error) })
    }
  }
  return null
}

export function noRoom({ sector, type, kind }: Placement): StorageError {
  return storageError({
    code: 'NO_SPACE',
    level: 'temporary',
    message: `no ${kind} path of this node has room for ${type} of ${sectorName(sector.ID)}: free some, or attach another`,
    sector: sector.ID,
  })
}

function noPath({ sector, type, kind }: Placement): StorageError {
  return storageError({
    code: 'NO_PATH',
    level: 'permanent',
    message:
      `no usable path of this node takes ${type} files for ${kind} (use, AllowTypes, AllowMiners): ` +
      'attach one that does',
    sector: sector.ID,
  })
}

/** An index answers an error, not an empty list, when no path has room; a stranger's error has only its text. */
function meansFull(error: unknown): boolean {
  return isSealyardError(error, 'NO_GOOD_PATH') || /no good path/i.test(describeError(error))
}
