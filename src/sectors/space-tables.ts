import { treeCBytes, treeRLastBytes } from './cache-file-bytes.ts'
import { type FileTypeBits, fileTypesOf, isDirectoryType, type SectorFileType } from './file-types.ts'
import type { SealProof } from './proof-types.ts'

/** Which of a sector's lives a file belongs to: scratch while sealing, or long-term storage. */
export type PathKind = 'sealing' | 'storage'

/** lotus' FSOverheadSeal, tenths of the sector size. */
const SEALING_TENTHS: Readonly<Record<SectorFileType, number>> = {
  unsealed: 10,
  sealed: 10,
  cache: 141,
  update: 10,
  'update-cache': 21,
  piece: 10,
}

/** lotus' FsOverheadFinalized, tenths of the sector size. */
const STORAGE_TENTHS: Readonly<Record<SectorFileType, number>> = {
  unsealed: 10,
  sealed: 10,
  cache: 1,
  update: 10,
  'update-cache': 1,
  piece: 10,
}

/**
 * Bytes that the field reserves for one file: what listings show as Reserved.
 * @returns whole bytes, table × size / 10 rounded down as Go's integers do
 */
export function reportedSpace(type: SectorFileType, sectorSize: number, kind: PathKind): number {
  const tenths = kind === 'sealing' ? SEALING_TENTHS[type] : STORAGE_TENTHS[type]
  return Math.floor((sectorSize * tenths) / 10)
}

/** The sum of {@link reportedSpace} over several types. */
export function reportedSpaceOf(bits: FileTypeBits, sectorSize: number, kind: PathKind): number {
  return fileTypesOf(bits).reduce((sum, type) => sum + reportedSpace(type, sectorSize, kind), 0)
}

/** Upper bound of `t_aux`, which holds a path and so varies (370–445 B measured; lotus caps it here). */
const T_AUX_BYTES = 10_240
const P_AUX_BYTES = 64

/**
 * Bytes that a file really peaks at, exact per proof type: what admission reserves.
 * The 32 GiB sealing cache peaks 1.44 GiB above the field's table; a finalized one needs 73.2 MiB, not 3.2 GiB.
 */
export function neededSpace(type: SectorFileType, proof: SealProof, kind: PathKind): number {
  if (!isDirectoryType(type)) return proof.sectorSize + (type === 'unsealed' ? 1024 : 0)
  const rLast = treeRLastBytes(proof) * proof.treeParts
  const kept = rLast + P_AUX_BYTES + T_AUX_BYTES
  if (kind === 'storage') return kept
  const treeD = 2 * proof.sectorSize - 32
  if (type === 'update-cache') return kept + treeD
  const treeC = treeCBytes(proof) * proof.treeParts
  // While PC2 builds tree-r-last its file has tree-c's size and is cut down afterwards (8 MiB: 9,586,976).
  const rLastWhileBuilt = treeCBytes(proof) * (proof.treeParts === 1 ? 1 : 0)
  return (
    P_AUX_BYTES +
    T_AUX_BYTES +
    treeD +
    proof.layers * proof.sectorSize +
    treeC +
    Math.max(rLast, rLastWhileBuilt)
  )
}
