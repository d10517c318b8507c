import { SealyardError } from '../base/errors.ts'

export type SectorSizeName = '2KiB' | '8MiB' | '512MiB' | '32GiB' | '64GiB'

/** What a registered seal proof type fixes; integers are the field's (`go-state-types`). */
export interface SealProof {
  readonly proofType: number
  /** Name in the public proofs crates, `StackedDrg2KiBV1_1`. */
  readonly name: string
  readonly sizeName: SectorSizeName
  /** The short form resource overrides use: 2K, 8M, 512M, 32G, 64G. */
  readonly shortSize: '2K' | '8M' | '512M' | '32G' | '64G'
  readonly sectorSize: number
  /** SDR layers: 2 for the small sizes, 11 for 32 and 64 GiB. */
  readonly layers: number
  /** Files that each of tree-c and tree-r-last is split into: 1, 8 or 16. */
  readonly treeParts: number
  readonly variant: 'v1' | 'v1_1' | 'synthetic' | 'non-interactive'
}

const SIZES = [
  { sizeName: '2KiB', shortSize: '2K', sectorSize: 2048, layers: 2, treeParts: 1 },
  { sizeName: '8MiB', shortSize: '8M', sectorSize: 8 * 2 ** 20, layers: 2, treeParts: 1 },
  { sizeName: '512MiB', shortSize: '512M', sectorSize: 512 * 2 ** 20, layers: 2, treeParts: 1 },
  { sizeName: '32GiB', shortSize: '32G', sectorSize: 32 * 2 ** 30, layers: 11, treeParts: 8 },
  { sizeName: '64GiB', shortSize: '64G', sectorSize: 64 * 2 ** 30, layers: 11, treeParts: 16 },
] as const

const VARIANTS = [
  { variant: 'v1', suffix: 'V1' },
  { variant: 'v1_1', suffix: 'V1_1' },
  { variant: 'synthetic', suffix: 'V1_1_Feat_SyntheticPoRep' },
  { variant: 'non-interactive', suffix: 'V1_2_Feat_NonInteractivePoRep' },
] as const

/** All twenty: variant × size, numbered as the field numbers them (5 × variant + size). */
export const SEAL_PROOFS: readonly SealProof[] = VARIANTS.flatMap(({ variant, suffix }, v) =>
  SIZES.map((size, s) => ({
    ...size,
    proofType: 5 * v + s,
    name: `StackedDrg${size.sizeName}${suffix}`,
    variant,
  })),
)

/** @throws SealyardError UNSUPPORTED_PROOF for an integer the field does not know */
export function sealProof(proofType: number): SealProof {
  const proof = SEAL_PROOFS[proofType]
  if (proof !== undefined) return proof
  throw new SealyardError({
    code: 'UNSUPPORTED_PROOF',
    level: 'permanent',
    message: `seal proof type ${proofType} is unknown; known are 0 to ${SEAL_PROOFS.length - 1}`,
  })
}

/** The V1_1 proof type of a sector size in bytes. @throws SealyardError UNSUPPORTED_SECTOR_SIZE */
export function proofTypeForSize(sectorSize: number): number {
  const proof = SEAL_PROOFS.find((each) => each.variant === 'v1_1' && each.sectorSize === sectorSize)
  if (proof !== undefined) return proof.proofType
  throw new SealyardError({
    code: 'UNSUPPORTED_SECTOR_SIZE',
    level: 'permanent',
    message: `a sector size of ${sectorSize} bytes does not exist; choose 2KiB, 8MiB, 512MiB, 32GiB or 64GiB`,
  })
}

/** Data bytes that fit a sector or piece of `padded` bytes: 127 of each 128. */
export function unpaddedSize(padded: number): number {
  return (padded / 128) * 127
}

/** Padded size of `unpadded` data bytes, which must be a multiple of 127. */
export function paddedSize(unpadded: number): number {
  return (unpadded / 127) * 128
}
