import { cacheFileBytes } from '../sectors/cache-file-bytes.ts'
import type { CachePhase } from '../sectors/cache-files.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { sealProof } from '../sectors/proof-types.ts'
import type { SectorRef } from '../sectors/sector-id.ts'

/** Sizes of a sector's files in a phase of its life: what moving them costs. */
export function fileBytes(
  sector: SectorRef,
  phase: CachePhase,
  types: readonly SectorFileType[],
): Map<SectorFileType, number> {
  const proof = sealProof(sector.ProofType)
  const cacheBytes = [...cacheFileBytes(proof, phase).values()].reduce((sum, bytes) => sum + bytes, 0)
  return new Map(types.map((type) => [type, type === 'cache' ? cacheBytes : proof.sectorSize]))
}
