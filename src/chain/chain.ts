import type { Hex32 } from '../sectors/commitments.ts'
import type { SectorId } from '../sectors/sector-id.ts'

/** Randomness as the chain gives it, and the epoch it belongs to. */
export interface ChainRandomness {
  readonly value: Hex32
  readonly epoch: number
}

export interface PreCommitRequest {
  readonly sector: SectorId
  readonly proofType: number
  readonly commD: Hex32
  readonly commR: Hex32
  readonly ticketEpoch: number
}

export interface CommitRequest {
  readonly sector: SectorId
  readonly proof: Uint8Array
}

/**
 * What a sector's life needs of the chain. Submitting the same request again answers the same message,
 * so that a sealer that died between submitting and remembering does not pay twice.
 */
export interface Chain {
  /** True when all answers are made up locally: every listing then says so. */
  readonly offline: boolean
  /** Randomness for PC1. */
  ticket(sector: SectorId, signal?: AbortSignal): Promise<ChainRandomness>
  /** @returns the CID of the message */
  submitPreCommit(request: PreCommitRequest, signal?: AbortSignal): Promise<string>
  /** Waits until the message has landed. @returns the epoch it landed in */
  preCommitLanded(message: string, signal?: AbortSignal): Promise<number>
  /** Waits until the seed's epoch has come. @param landedEpoch what {@link preCommitLanded} answered */
  seed(sector: SectorId, landedEpoch: number, signal?: AbortSignal): Promise<ChainRandomness>
  /** @returns the CID of the message */
  submitCommit(request: CommitRequest, signal?: AbortSignal): Promise<string>
  commitLanded(message: string, signal?: AbortSignal): Promise<number>
}
