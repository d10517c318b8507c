import type { SealProof } from './proof-types.ts'

/** How far a cache directory has come; decides which files make it complete. */
export type CachePhase = 'pc1' | 'pc2' | 'finalized'

/** Names of the files that hold one tree: one, or one for each part of it. */
export function treeFiles(stem: string, count: number): string[] {
  if (count === 1) return [`${stem}.dat`]
  return Array.from({ length: count }, (_, part) => `${stem}-${part}.dat`)
}

/**
 * Files that a `cache` directory must hold to be complete at a phase.
 * `t_aux` is never demanded: builds with fixed rows to discard do not write it.
 */
export function requiredCacheFiles(proof: SealProof, phase: CachePhase): string[] {
  const layers = Array.from({ length: proof.layers }, (_, layer) => `sc-02-data-layer-${layer + 1}.dat`)
  const pc1 = ['sc-02-data-tree-d.dat', ...layers]
  const kept = ['p_aux', ...treeFiles('sc-02-data-tree-r-last', proof.treeParts)]
  if (phase === 'pc1') return pc1
  if (phase === 'finalized') return kept
  return [...pc1, ...treeFiles('sc-02-data-tree-c', proof.treeParts), ...kept]
}

/** The files in `required` that `present` lacks. */
export function missingFiles(required: readonly string[], present: readonly string[]): string[] {
  const have = new Set(present)
  return required.filter((name) => !have.has(name))
}
