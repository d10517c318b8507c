import { describeError, isSealyardError } from '../base/errors.ts'
import { dataPieces, type SectorRecord } from './sector-record.ts'
import type { FailedState, SectorState, WorkingState } from './sector-state.ts'
import type { SectorChange } from './sector-store.ts'

/** PC1 or PC2 may fail by itself this often; with the next time something else is done. */
const MOST_FAILURES = 3

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
  const preCommit2Fails = record.preCommit2Fails + (state === 'PreCommit2' ? counted : 0)
  const lastError = describeError(error)
  return {
    to: givesUp(record, state, preCommit1Fails) ? 'Removing' : FAILED[state],
    set: { retries: record.retries + 1, preCommit1Fails, preCommit2Fails, lastError },
    event: { kind: 'error', message: `${state}: ${lastError}`, trace: trace(error) },
  }
}

/**
 * As the field does, a sector whose PC1 fails again and again is removed, but only one of zeroes: the
 * unsealed copy may be the last one of somebody's data, and giving that up is the operator's to say.
 */
function givesUp(record: SectorRecord, state: WorkingState, preCommit1Fails: number): boolean {
  return state === 'PreCommit1' && preCommit1Fails > MOST_FAILURES && dataPieces(record).length === 0
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
