import type { Clock } from '../base/clock.ts'
import type { Chain } from '../chain/chain.ts'
import type { PostKind, TaskExecutor } from '../proofs/task-executor.ts'
import type { SectorTasks } from '../scheduler/sector-tasks.ts'
import type { Commit1Files } from './commit1-files.ts'
import type { SectorRecord } from './sector-record.ts'
import type { SectorChange, SectorStore } from './sector-store.ts'
import type { Staging } from './staging.ts'

/** Runs tasks on the sealer itself, and knows which parameters are here. */
export interface SealerExecutor extends TaskExecutor {
  /** @param proofType seal proof type, as in all of these */
  canCommit2(proofType: number): Promise<boolean>
  canVerifySeal(proofType: number): Promise<boolean>
  canProvePost(kind: PostKind, proofType: number): Promise<boolean>
}

/** What the steps of a sector's life may use. */
export interface StepTools {
  readonly tasks: SectorTasks
  readonly chain: Chain
  readonly executor: SealerExecutor
  readonly store: SectorStore
  readonly staging: Staging
  readonly commit1Files: Commit1Files
  readonly clock: Clock
  readonly opened: Opened
}

/** When this run of the sealer began: workers need a moment to find it again. */
export interface Opened {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Who has not connected so long after it is taken to be away. */
  readonly workersBackMs: number
  /** The same moment on the clock's `monotonicMs`. */
  readonly workersBackByMs: number
}

/**
 * What a state does: one thing, whose result becomes one change. Made again from the start when the sealer
 * died in the middle of it, so all it does is safe to repeat.
 */
export type Step = (record: SectorRecord, tools: StepTools, signal: AbortSignal) => Promise<StepResult>

/**
 * The change, or how it follows from the sector as it is by then: others may have brought a proof meanwhile.
 */
export type StepResult = SectorChange | ((now: SectorRecord) => SectorChange)
