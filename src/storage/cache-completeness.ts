import { type CachePhase, missingFiles, requiredCacheFiles } from '../sectors/cache-files.ts'
import type { SealProof } from '../sectors/proof-types.ts'

export interface NamedSize {
  readonly name: string
  readonly size: number
}

export type CacheVerdict = { readonly phase: CachePhase } | { readonly phase: null; readonly problem: string }

const PC2_ONLY = /^(p_aux|sc-02-data-tree-(c|r-last)(-\d+)?\.dat)$/
const BEFORE_FINALIZE = /^sc-02-data-(layer-\d+|tree-d|tree-c(-\d+)?)\.dat$/

/**
 * Which phase a cache directory is complete for, decided by the file set alone: it must be exactly what PC1
 * leaves, what PC2 leaves, or what finalize keeps. Anything between is a transfer or a task that broke off.
 * `t_aux` and synthetic proofs may be there or not.
 */
export function completePhase(proof: SealProof, files: readonly NamedSize[]): CacheVerdict {
  const names = files.map((each) => each.name)
  const wrong = files.find((each) => !hasRightSize(proof, each))
  if (wrong !== undefined) return { phase: null, problem: `${wrong.name} has ${wrong.size} bytes` }

  const hasPc2 = names.some((name) => PC2_ONLY.test(name))
  const hasScratch = names.some((name) => BEFORE_FINALIZE.test(name))
  const phase: CachePhase = !hasPc2 ? 'pc1' : hasScratch ? 'pc2' : 'finalized'
  const missing = missingFiles(requiredCacheFiles(proof, phase), names)
  if (missing.length === 0) return { phase }
  return { phase: null, problem: `as a ${phase} cache it lacks ${missing.join(', ')}` }
}

/**
 * Sizes that every proofs build writes alike. Others vary (rows to discard), except that none is empty.
 */
function hasRightSize(proof: SealProof, file: NamedSize): boolean {
  if (/^sc-02-data-layer-\d+\.dat$/.test(file.name)) return file.size === proof.sectorSize
  // Unseal with the real cache as scratch, as some nodes do, leaves S bytes of noise under this name.
  if (file.name === 'sc-02-data-tree-d.dat') return file.size === 2 * proof.sectorSize - 32
  if (file.name === 'p_aux') return file.size === 64
  return file.size > 0
}

/** Whether a plain sector file of this length can be whole; unsealed carries a trailer that varies. */
export function wholeFileProblem(type: string, proof: SealProof, size: number): string | null {
  if (type === 'sealed' || type === 'update') {
    return size === proof.sectorSize
      ? null
      : `${type} file has ${size} bytes, a sector has ${proof.sectorSize}`
  }
  return size > 0 ? null : `${type} file is empty`
}
