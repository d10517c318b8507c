import type { CachePhase } from './cache-files.ts'
import type { SealProof } from './proof-types.ts'

/** Bytes of a full eight-ary tree of 32-byte nodes over 8^height leaves. */
function octreeBytes(height: number): number {
  return ((8 ** (height + 1) - 1) / 7) * 32
}

function parts(stem: string, count: number): string[] {
  return count === 1 ? [`${stem}.dat`] : Array.from({ length: count }, (_, part) => `${stem}-${part}.dat`)
}

/** Bytes of `p_aux`: comm_c and comm_r_last. */
const P_AUX_BYTES = 64
/** `t_aux` varies with the length of a path in it (370 to 445 measured); a stand-in takes this much. */
const T_AUX_BYTES = 400

/**
 * Names and exact sizes of what a `cache` directory holds after a phase.
 * tree-c is a whole eight-ary tree over each part's leaves; tree-r-last drops its three lowest rows.
 * @returns file name → bytes
 */
export function cacheFileBytes(proof: SealProof, phase: CachePhase): Map<string, number> {
  const height = Math.log2(proof.sectorSize / 32 / proof.treeParts) / 3
  const pc1: [string, number][] = [['sc-02-data-tree-d.dat', 2 * proof.sectorSize - 32]]
  for (let layer = 1; layer <= proof.layers; layer++) {
    pc1.push([`sc-02-data-layer-${layer}.dat`, proof.sectorSize])
  }
  const treeC = parts('sc-02-data-tree-c', proof.treeParts).map(
    (name) => [name, octreeBytes(height)] as const,
  )
  const rLastBytes = octreeBytes(Math.max(0, height - 3))
  const rLast = parts('sc-02-data-tree-r-last', proof.treeParts).map((name) => [name, rLastBytes] as const)
  const kept = [['p_aux', P_AUX_BYTES] as const, ['t_aux', T_AUX_BYTES] as const, ...rLast]
  if (phase === 'pc1') return new Map(pc1)
  return new Map(phase === 'finalized' ? kept : [...pc1, ...treeC, ...kept])
}
