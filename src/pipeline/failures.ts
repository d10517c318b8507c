import { describeError, isSealyardError } from '../base/errors.ts'
import { SchedulerError } from '../scheduler/errors.ts'
import { dataPieces, type SectorRecord } from './sector-record.ts'
import type { FailedState, SectorState, WorkingState } from './sector-state.ts'
import type { SectorChange } from './sector-store.ts'

/** PC1 or PC2 may fail by itself this often; with the next time something else is done. */
const MOST_FAILURES = 3

/** A step that fails this often in a row for a reason of its own will fail again: somebody has to look at it. */
export const MOST_TRIES = 10

const FAILED: Readonly<Record<WorkingState, FailedState>> = {
  AddPiece: 'AddPieceFailed',
  Packing: 'PackingFailed',
  GetTicket: 'SealPreCommit1Failed',
  PreCommit1: 'SealPreCommit1Failed',
  PreCommit2: 'SealPreCommit2Failed',
  PreCommitting: 'PreCommitFailed',
  PreCommitWait: 'PreCommitFailed',
  WaitSeed: 'PreCommitFailed',
  Committing: 'ComputeProofFailed',
  SubmitCommit: 'CommitFailed',
  CommitWait: 'CommitFailed',
  FinalizeSector: 'FinalizeFailed',
  Removing: 'RemoveFailed',
}

/** What a step's failure makes of its sector. */
export function failedChange(record: SectorRecord, state: WorkingState, error: unknown): SectorChange {
  // A full disk or a worker that restarted says nothing about the sector: only the task's own failures count.
  const counted = !(isSealyardError(error) && error.level === 'temporary') ? 1 : 0
  const preCommit1Fails = record.preCommit1Fails + (state === 'PreCommit1' ? counted : 0)
  const isBack = goesBack(state, error)
  const preCommit2Fails = isBack
    ? MOST_FAILURES + 1
    : record.preCommit2Fails + (state === 'PreCommit2' ? counted : 0)
  const lastError = describeError(error)
  // A finalized sector must reach its store, and nothing is lost by trying: that is never given up.
  const tries = record.tries + (state === 'FinalizeSector' ? 0 : counted)
  const failed = isBack ? 'SealPreCommit2Failed' : FAILED[state]
  const to = givesUp(record, state, preCommit1Fails) ? 'Removing' : failed
  const paused = to === 'Removing' ? null : pauseReason(record, error, tries)
  return {
    to,
    set: { retries: record.retries + 1, tries, paused, preCommit1Fails, preCommit2Fails, lastError },
    event: { kind: 'error', message: `${state}: ${lastError}`, trace: trace(error) },
  }
}

/** So often in a row a step goes on at once; a worker that dies of its task each time must not be given it in a loop. */
export const MOST_AT_ONCE = 3

/** Code 101: the worker died or was restarted under the task, and is there again. Its files are what they were before. */
export function isWorkerRestart(error: unknown): boolean {
  return isSealyardError(error, 'WORKER_RESTARTED')
}

/** No task failed, so the sector keeps its state and waits for nothing. */
export function restartedChange(record: SectorRecord, state: WorkingState, error: unknown): SectorChange {
  const lastError = describeError(error)
  return {
    set: { retries: record.retries + 1, lastError },
    event: { kind: 'error', message: `${state}: ${lastError}; it is tried again at once` },
  }
}

/** `abort` stops the sector at once, a `permanent` failure when it has come too often; null: it is tried again. */
function pauseReason({ id }: SectorRecord, error: unknown, tries: number): string | null {
  const advice = `'sectors retry ${id.Number}' tries it again`
  if (isSealyardError(error) && error.level === 'abort')
    return `the failure asks for somebody to look; ${advice}`
  return tries >= MOST_TRIES ? `it failed ${tries} times in a row; ${advice}` : null
}

/**
 * The cache is PC2's own leftover, or not what PC1 leaves: PC2 would fail in it each time. Or it is not what PC2
 * leaves: so would C1. Both phases are made again, by which layers that are whole and the sector's own stay.
 */
function goesBack(state: WorkingState, error: unknown): boolean {
  const isInCache = state === 'PreCommit2' || state === 'Committing'
  return isInCache && error instanceof SchedulerError && PRE_COMMIT_1_AGAIN.has(error.workerCode ?? '')
}

const PRE_COMMIT_1_AGAIN: ReadonlySet<string> = new Set(['NOT_RESTARTABLE', 'CACHE_UNUSABLE'])

/**
 * As the field does, a sector whose PC1 fails again and again is removed, but only one of zeroes: the
 * unsealed copy may be the last one of somebody's data, and giving that up is the operator's to say. So is giving
 * up the deposit of a sector that was pre-committed and came back here.
 */
function givesUp(record: SectorRecord, state: WorkingState, preCommit1Fails: number): boolean {
  if (state !== 'PreCommit1' || record.preCommitMessage !== null) return false
  return preCommit1Fails > MOST_FAILURES && dataPieces(record).length === 0
}

/** Where a failed sector goes on when it has waited. */
export function retryState(record: SectorRecord & { state: FailedState }): SectorState {
  switch (record.state) {
    case 'AddPieceFailed':
      return 'AddPiece'
    case 'PackingFailed':
      return 'Packing'
    case 'SealPreCommit1Failed':
      return record.ticket === null ? 'GetTicket' : 'PreCommit1'
    case 'SealPreCommit2Failed':
      return record.preCommit2Fails > MOST_FAILURES ? 'PreCommit1' : 'PreCommit2'
    case 'PreCommitFailed':
      if (record.preCommitMessage === null) return 'PreCommitting'
      return record.preCommitEpoch === null ? 'PreCommitWait' : 'WaitSeed'
    case 'ComputeProofFailed':
      return 'Committing'
    case 'CommitFailed':
      return record.commitMessage === null ? 'SubmitCommit' : 'CommitWait'
    case 'FinalizeFailed':
      return 'FinalizeSector'
    case 'RemoveFailed':
      return 'Removing'
  }
}

/** An error of ours says all in its words; of another kind the stack tells where it came from. */
function trace(error: unknown): string {
  if (isSealyardError(error)) return ''
  return error instanceof Error ? (error.stack ?? '') : ''
}
