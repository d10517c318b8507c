import type { Hex32 } from '../sectors/commitments.ts'
import type { SectorRef } from '../sectors/sector-id.ts'

/** How far a task has come, in its own words; there is no promise of a total. */
export interface TaskProgress {
  readonly message: string
  /** Bytes done and in all where the task counts them, else null. */
  readonly doneBytes: number | null
  readonly totalBytes: number | null
}

/** What surrounds a task. */
export interface TaskContext {
  /** An existing directory on the sealing path; the task makes a private one below it and removes that again. */
  readonly scratch: string
  /** Ends the task: its child is killed, its call rejects with TASK_ABORTED. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: TaskProgress) => void) | undefined
}

/** Where a piece's bytes come from; what lacks to the piece's size is zeroes. */
export type PieceSource =
  | { readonly kind: 'file'; readonly file: string; readonly dataBytes: number }
  | { readonly kind: 'zeroes' }

/** A piece as a seal knows it. */
export interface SealPiece {
  readonly commitment: Hex32
  readonly paddedBytes: number
}

export interface AddPieceTask {
  readonly sector: SectorRef
  /** The sector's unsealed file; it is made when there are no pieces in it yet. */
  readonly unsealed: string
  /** Unpadded sizes of the pieces that the file holds, in order. */
  readonly existingPieces: readonly number[]
  /** Unpadded size of the new piece: 127 × a power of two. */
  readonly pieceBytes: number
  readonly source: PieceSource
}

export interface PieceCommitmentTask {
  readonly proofType: number
  /** Unpadded size of the piece. */
  readonly pieceBytes: number
  readonly source: PieceSource
}

export interface PreCommit1Task {
  readonly sector: SectorRef
  readonly unsealed: string
  /** Made when it is missing; its content is replaced. */
  readonly sealed: string
  /** Made when it is missing. Layers in it are taken as they are: whoever calls knows what they were made from. */
  readonly cache: string
  readonly ticket: Hex32
  readonly pieces: readonly SealPiece[]
}

export interface PreCommit2Task {
  readonly sector: SectorRef
  readonly sealed: string
  readonly cache: string
  /** JSON of the public crates, as PC1 answered it. */
  readonly phase1Output: Uint8Array
}

export interface SealCommitments {
  readonly commD: Hex32
  readonly commR: Hex32
}

export interface Commit1Task extends SealCommitments {
  readonly sector: SectorRef
  readonly sealed: string
  readonly cache: string
  readonly ticket: Hex32
  readonly seed: Hex32
  readonly pieces: readonly SealPiece[]
  /** File to write C1's output to (100 KB at 2 KiB, some 50 MB at 32 GiB); it must not exist. */
  readonly output: string
}

export interface Commit2Task {
  readonly sector: SectorRef
  /** File with C1's output. */
  readonly input: string
}

export interface VerifySealTask extends SealCommitments {
  readonly sector: SectorRef
  readonly ticket: Hex32
  readonly seed: Hex32
  readonly proof: Uint8Array
}

export interface FinalizeTask {
  readonly sector: SectorRef
  readonly cache: string
}

export interface UnsealTask {
  readonly sector: SectorRef
  readonly sealed: string
  /** The unsealed file that the range is written into; it is made when it is missing. */
  readonly unsealed: string
  readonly ticket: Hex32
  readonly commD: Hex32
  /** Unpadded bytes. */
  readonly offset: number
  readonly size: number
}

export interface ReadUnsealedTask {
  readonly proofType: number
  readonly unsealed: string
  /** Unpadded bytes. */
  readonly offset: number
  readonly size: number
  /** File to write the data bytes to; it must not exist. */
  readonly output: string
}

/** Padded bytes, as `ReleaseUnsealed` counts. */
export interface PaddedRange {
  readonly offset: number
  readonly size: number
}

export interface FreeUnsealedTask {
  readonly proofType: number
  readonly unsealed: string
  /** Everything else is freed; none means that the whole file may go, which the caller does. */
  readonly keep: readonly PaddedRange[]
}

export type PostKind = 'window' | 'winning'

export interface PostChallengesTask {
  readonly kind: PostKind
  readonly proofType: number
  readonly miner: number
  readonly randomness: Hex32
  readonly sectors: readonly number[]
}

export interface VanillaPostTask {
  readonly kind: PostKind
  readonly sector: SectorRef
  readonly sealed: string
  readonly cache: string
  readonly commR: Hex32
  readonly challenges: readonly number[]
}

export interface PostTask {
  readonly proofType: number
  readonly miner: number
  readonly randomness: Hex32
  readonly vanillaProofs: readonly Uint8Array[]
}

export interface VerifyPostTask {
  readonly proofType: number
  readonly miner: number
  readonly randomness: Hex32
  readonly proof: Uint8Array
  readonly sectors: readonly { readonly number: number; readonly commR: Hex32 }[]
}

/**
 * Runs sealing tasks on files that it is given. One call, one task: it moves nothing and remembers nothing.
 * Every method rejects with a ProofError; `code` TASK_ABORTED when the signal ended it.
 */
export interface TaskExecutor {
  /** `prover` seals; `shape` writes files of the right names and sizes and seals nothing. */
  readonly kind: 'prover' | 'shape'
  /** One line for listings. */
  readonly description: string

  addPiece(task: AddPieceTask, context: TaskContext): Promise<SealPiece>
  pieceCommitment(task: PieceCommitmentTask, context: TaskContext): Promise<SealPiece>
  /** @returns the JSON that PC2 takes, the same that other implementations pass */
  preCommit1(task: PreCommit1Task, context: TaskContext): Promise<Uint8Array>
  preCommit2(task: PreCommit2Task, context: TaskContext): Promise<SealCommitments>
  commit1(task: Commit1Task, context: TaskContext): Promise<void>
  /** @returns the proof, 192 bytes a partition */
  commit2(task: Commit2Task, context: TaskContext): Promise<Uint8Array>
  verifySeal(task: VerifySealTask, context: TaskContext): Promise<boolean>
  /** Removes layers, tree-d and tree-c of a cache; what proving needs stays. */
  finalize(task: FinalizeTask, context: TaskContext): Promise<void>
  unseal(task: UnsealTask, context: TaskContext): Promise<void>
  /** @returns how many bytes were written to the output */
  readUnsealed(task: ReadUnsealedTask, context: TaskContext): Promise<number>
  freeUnsealed(task: FreeUnsealedTask, context: TaskContext): Promise<void>
  /** @returns sector number → challenged leaves */
  postChallenges(task: PostChallengesTask, context: TaskContext): Promise<Map<number, number[]>>
  vanillaPost(task: VanillaPostTask, context: TaskContext): Promise<Uint8Array>
  windowPost(task: PostTask, context: TaskContext): Promise<Uint8Array>
  verifyWindowPost(task: VerifyPostTask, context: TaskContext): Promise<boolean>
}
