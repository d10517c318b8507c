import type { Logger } from '../base/log.ts'
import type { SealPiece, TaskContext, TaskExecutor } from '../proofs/task-executor.ts'
import type { ReaderSource } from '../protocol/connections.ts'
import type { PieceInfo } from '../protocol/types.ts'
import { unsealedCommitment } from '../sectors/commitments.ts'
import { sectorName } from '../sectors/sector-id.ts'
import type { AcquiredFiles, AcquireRequest, NodeStorage } from '../storage/node-storage.ts'

/** An executor that knows which proofs it has parameters for. */
export type WorkerExecutor = TaskExecutor & {
  canCommit2(proofType: number): Promise<boolean>
  /** Which files keep it from running C2; '' when it can. */
  commit2Lacks(proofType: number): Promise<string>
}

/** What every task works with. */
export interface TaskTools {
  readonly storage: NodeStorage
  readonly executor: WorkerExecutor
  readonly readers: ReaderSource
  /** Directory for small files of tasks that have no sector files here (C2's input). */
  readonly scratch: string
  /** Fires when the worker stops: the task ends, its child is killed. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/**
 * Acquires, works, releases. What was made is declared before the result is known to anybody: a failing release
 * fails the task; after a failing task it is only logged, for the task's own error says more.
 */
export async function withFiles<T>(
  tools: TaskTools,
  request: AcquireRequest,
  work: (files: AcquiredFiles) => Promise<T>,
): Promise<T> {
  const files = await tools.storage.acquire(request)
  let result: T
  try {
    result = await work(files)
  } catch (error) {
    await files.release().catch((cause: unknown) =>
      tools.log.warn('files of a failed task were not released', {
        sector: sectorName(request.sector.ID),
        task: request.task,
        error: cause instanceof Error ? cause.message : String(cause),
      }),
    )
    throw error
  }
  await files.release()
  return result
}

export function contextOf(tools: TaskTools, scratch: string): TaskContext {
  return { scratch, signal: tools.signal }
}

/** @throws SealyardError BAD_COMMITMENT */
export function sealPieces(pieces: readonly PieceInfo[]): SealPiece[] {
  return pieces.map((piece) => ({
    commitment: unsealedCommitment(piece.PieceCID),
    paddedBytes: piece.Size,
  }))
}
