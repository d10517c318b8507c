import { z } from 'zod'
import type { PieceInfo } from '../protocol/types.ts'
import { base64OfHex, type Hex32 } from '../sectors/commitments.ts'
import type { SectorId, SectorRef } from '../sectors/sector-id.ts'
import type { SectorRow } from '../state/tables.ts'
import { asSectorState, type SectorState } from './sector-state.ts'

const sectorPiece = z.object({
  /** Padded bytes, as `size`. */
  offset: z.number().int().nonnegative(),
  size: z.number().int().positive(),
  /** 0 for zeroes that only fill. */
  dataBytes: z.number().int().nonnegative(),
  /** A CID; null for zeroes until they are added. */
  commitment: z.string().nullable(),
  /** File in the staging directory that holds the data; null for zeroes. */
  file: z.string().nullable(),
  /** Whether it lies in the sector's unsealed file. */
  added: z.boolean(),
})
export type SectorPiece = z.output<typeof sectorPiece>

const sectorPieces = z.array(sectorPiece).min(1)

/**
 * What is known of a sector. Proofs and outputs of phases are base64, commitments, ticket and seed
 * hexadecimal.
 */
export interface SectorRecord {
  readonly id: SectorId
  readonly proofType: number
  readonly state: SectorState
  readonly pieces: readonly SectorPiece[]
  readonly ticket: Hex32 | null
  readonly ticketEpoch: number | null
  readonly seed: Hex32 | null
  readonly seedEpoch: number | null
  readonly commD: Hex32 | null
  readonly commR: Hex32 | null
  readonly phase1Output: string | null
  /** Relative to the repo. */
  readonly commit1File: string | null
  readonly proof: string | null
  readonly preCommitMessage: string | null
  readonly preCommitEpoch: number | null
  readonly commitMessage: string | null
  /** Failures of any kind so far. */
  readonly retries: number
  /** Failures in a row of the step it is at; those that time mends do not count. */
  readonly tries: number
  /** Why nothing is done with it until somebody says so, in words; null when it goes on. */
  readonly paused: string | null
  readonly preCommit1Fails: number
  readonly preCommit2Fails: number
  readonly lastError: string | null
  readonly keepUnsealed: boolean
  readonly finalized: boolean
  /** Name of its directory below `staging`. */
  readonly staging: string | null
  /** Milliseconds since 1970, as `updatedAt`. */
  readonly createdAt: number
  readonly updatedAt: number
}

/** What a step may change. */
export type SectorFields = Partial<
  Omit<SectorRecord, 'id' | 'proofType' | 'state' | 'createdAt' | 'updatedAt'>
>

export function recordOf(row: SectorRow): SectorRecord {
  return {
    id: { Miner: row.miner, Number: row.number },
    proofType: row.proof_type,
    state: asSectorState(row.state),
    pieces: sectorPieces.parse(JSON.parse(row.pieces)),
    ticket: row.ticket,
    ticketEpoch: row.ticket_epoch,
    seed: row.seed,
    seedEpoch: row.seed_epoch,
    commD: row.comm_d,
    commR: row.comm_r,
    phase1Output: row.phase1_output,
    commit1File: row.commit1_file,
    proof: row.proof,
    preCommitMessage: row.precommit_message,
    preCommitEpoch: row.precommit_epoch,
    commitMessage: row.commit_message,
    retries: row.retries,
    tries: row.tries,
    paused: row.paused,
    preCommit1Fails: row.precommit1_fails,
    preCommit2Fails: row.precommit2_fails,
    lastError: row.last_error,
    keepUnsealed: row.keep_unsealed === 1,
    finalized: row.finalized === 1,
    staging: row.staging,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

export function rowOf(record: SectorRecord): SectorRow {
  return {
    miner: record.id.Miner,
    number: record.id.Number,
    state: record.state,
    proof_type: record.proofType,
    pieces: JSON.stringify(record.pieces),
    ticket: record.ticket,
    ticket_epoch: record.ticketEpoch,
    seed: record.seed,
    seed_epoch: record.seedEpoch,
    comm_d: record.commD,
    comm_r: record.commR,
    phase1_output: record.phase1Output,
    commit1_file: record.commit1File,
    proof: record.proof,
    precommit_message: record.preCommitMessage,
    precommit_epoch: record.preCommitEpoch,
    commit_message: record.commitMessage,
    retries: record.retries,
    tries: record.tries,
    paused: record.paused,
    precommit1_fails: record.preCommit1Fails,
    precommit2_fails: record.preCommit2Fails,
    last_error: record.lastError,
    keep_unsealed: record.keepUnsealed ? 1 : 0,
    finalized: record.finalized ? 1 : 0,
    staging: record.staging,
    created_at: record.createdAt,
    updated_at: record.updatedAt,
  }
}

export interface NewSector {
  readonly id: SectorId
  readonly proofType: number
  readonly state: 'AddPiece' | 'Packing'
  readonly pieces: readonly SectorPiece[]
  readonly staging: string | null
  readonly keepUnsealed: boolean
  readonly at: number
}

export function newRecord(sector: NewSector): SectorRecord {
  const { at, ...given } = sector
  return {
    ...given,
    ticket: null,
    ticketEpoch: null,
    seed: null,
    seedEpoch: null,
    commD: null,
    commR: null,
    phase1Output: null,
    commit1File: null,
    proof: null,
    preCommitMessage: null,
    preCommitEpoch: null,
    commitMessage: null,
    retries: 0,
    tries: 0,
    paused: null,
    preCommit1Fails: 0,
    preCommit2Fails: 0,
    lastError: null,
    finalized: false,
    createdAt: at,
    updatedAt: at,
  }
}

export function refOf(record: SectorRecord): SectorRef {
  return { ID: record.id, ProofType: record.proofType }
}

/** Pieces that somebody brought, in order: what an operator counts. */
export function dataPieces(record: SectorRecord): SectorPiece[] {
  return record.pieces.filter((piece) => piece.dataBytes > 0)
}

/** All pieces as the seal takes them. */
export function pieceInfos(record: SectorRecord): PieceInfo[] {
  return record.pieces.map((piece) => ({
    Size: piece.size,
    PieceCID: { '/': known(piece.commitment, record, 'the commitment of a piece') },
  }))
}

/** What an earlier state has put there. @throws Error when it has not: the record is damaged */
export function known<T>(value: T | null, record: SectorRecord, what: string): T {
  if (value !== null) return value
  throw new Error(`sector ${record.id.Number} is in ${record.state} without ${what}`)
}

export function ticketOf(record: SectorRecord): string {
  return base64OfHex(known(record.ticket, record, 'a ticket'))
}

export function seedOf(record: SectorRecord): string {
  return base64OfHex(known(record.seed, record, 'a seed'))
}

/**
 * True when C1's output waits for somebody to prove C2: the rest of the sector's life has gone on without it.
 */
export function isCommit2Deferred(record: SectorRecord): boolean {
  const past: readonly SectorState[] = ['FinalizeSector', 'FinalizeFailed', 'Proving']
  return record.proof === null && past.includes(record.state)
}

/** True when a sector rests and nothing but its proof is missing. */
export function isProofAwaited(record: SectorRecord): boolean {
  return record.state === 'Proving' && record.proof === null && record.commit1File !== null
}
