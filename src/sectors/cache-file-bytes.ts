import { type CachePhase, treeFiles } from './cache-files.ts'
import type { SealProof } from './proof-types.ts'

/** Bytes of a full eight-ary tree of 32-byte nodes over 8^height leaves. */
function octreeBytes(height: number): number {
  return ((8 ** (height + 1) - 1) / 7) * 32
}

/** Height of the eight-ary tree over the leaves of one part. */
function treeHeight(proof: SealProof): number {
  return Math.log2(proof.sectorSize / 32 / proof.treeParts) / 3
}

/** Bytes of one tree-c file: the whole tree over its part's leaves. */
export function treeCBytes(proof: SealProof): number {
  return octreeBytes(treeHeight(proof))
}

/** Bytes of one tree-r-last file: the same without its three lowest rows (lotus-wire: 9,586,976 at 32 GiB). */
export function treeRLastBytes(proof: SealProof): number {
  return octreeBytes(Math.max(0, treeHeight(proof) - 3))
}

/** Bytes of `p_aux`: comm_c and comm_r_last. */
const P_AUX_BYTES = 64
/** `t_aux` varies with the length of a path in it (370 to 445 measured); a stand-in takes this much. */
const T_AUX_BYTES = 400

/**
 * Names and exact sizes of what a `cache` directory holds after a phase.
 * @returns file name → bytes
 */
export function cacheFileBytes(proof: SealProof, phase: CachePhase): Map<string, number> {
  const pc1: [string, number][] = [['sc-02-data-tree-d.dat', 2 * proof.sectorSize - 32]]
  for (let layer = 1; layer <= proof.layers; layer++) {
    pc1.push([`sc-02-data-layer-${layer}.dat`, proof.sectorSize])
  }
  const treeC = treeFiles('sc-02-data-tree-c', proof.treeParts).map(
    (name) => [name, treeCBytes(proof)] as const,
  )
  const rLastBytes = treeRLastBytes(proof)
  const rLast = treeFiles('sc-02-data-tree-r-last', proof.treeParts).map(
    (name) => [name, rLastBytes] as const,
  )
  const kept = [['p_aux', P_AUX_BYTES] as const, ['t_aux', T_AUX_BYTES] as const, ...rLast]
  if (phase === 'pc1') return new Map(pc1)
  return new Map(phase === 'finalized' ? kept : [...pc1, ...treeC, ...kept])
}
