import type { PieceInfo, SectorCids } from '../protocol/types.ts'
import type { SectorId, SectorRef } from '../sectors/sector-id.ts'
import type { TaskType } from '../sectors/task-types.ts'

/** Where a piece's bytes come from: a file on the sealer's machine, or zeroes. */
export type PieceData =
  | { readonly kind: 'file'; readonly file: string; readonly dataBytes: number }
  | { readonly kind: 'zeroes' }

/** A range of the unsealed copy, padded bytes. */
export interface KeptRange {
  readonly Offset: number
  readonly Size: number
}

/**
 * What a sector's life asks of the workers, each call scheduled, locked and followed to its result (lotus'
 * manager). A call that was asked for before, also before a restart of the sealer, is found again where the task
 * is a tracked one (AP, PC1, PC2, C1, C2); the others are safe to repeat.
 * Every method rejects with a SchedulerError; `level` says whether to try again.
 */
export interface SectorTasks {
  /** AP. @param existing unpadded sizes of the pieces the sector holds @param size unpadded size of this one */
  addPiece(
    sector: SectorRef,
    existing: readonly number[],
    size: number,
    data: PieceData,
    signal?: AbortSignal,
  ): Promise<PieceInfo>
  /** PC1. @param ticket base64 @returns PC1's output, base64 */
  preCommit1(
    sector: SectorRef,
    ticket: string,
    pieces: readonly PieceInfo[],
    signal?: AbortSignal,
  ): Promise<string>
  /** PC2. */
  preCommit2(sector: SectorRef, phase1Output: string, signal?: AbortSignal): Promise<SectorCids>
  /** C1. @returns C1's output, base64 */
  commit1(
    sector: SectorRef,
    ticket: string,
    seed: string,
    pieces: readonly PieceInfo[],
    cids: SectorCids,
    signal?: AbortSignal,
  ): Promise<string>
  /** C2. @returns the proof, base64 */
  commit2(sector: SectorRef, commit1Output: string, signal?: AbortSignal): Promise<string>
  /** Whether any connected, enabled worker takes C2 of this proof type. */
  canCommit2(sector: SectorRef): Promise<boolean>
  /**
   * Says which task's result the sector may still ask for; what was kept of others goes. Asked for after each change
   * of the sector is saved.
   * @param wanted null: none
   */
  settle(sector: SectorId, wanted: TaskType | null): Promise<void>
  /** FUS, FIN, then GET to a store path. @param keepUnsealed ranges to keep; none frees the unsealed copy */
  finalize(sector: SectorRef, keepUnsealed: readonly KeptRange[], signal?: AbortSignal): Promise<void>
  /** UNS of the whole sector, then GET of the unsealed copy. @param unsealedCid comm_d as a CID */
  unseal(sector: SectorRef, ticket: string, unsealedCid: string, signal?: AbortSignal): Promise<void>
  /**
   * Removes every file of a sector everywhere.
   * @param signal lets go of the caller; while it still waits for the files, nothing is removed then
   * @throws SchedulerError REMOVE_INCOMPLETE naming what stayed
   */
  remove(sector: SectorId, signal?: AbortSignal): Promise<void>
}
