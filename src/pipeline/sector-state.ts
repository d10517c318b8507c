/** States by lotus' names, in the order of a sector's life; what each does stands above SectorLife. */
export const SECTOR_STATES = [
  'AddPiece',
  'Packing',
  'GetTicket',
  'PreCommit1',
  'PreCommit2',
  'PreCommitting',
  'PreCommitWait',
  'WaitSeed',
  'Committing',
  'SubmitCommit',
  'CommitWait',
  'FinalizeSector',
  'Proving',
  'Removing',
  'Removed',
  'AddPieceFailed',
  'PackingFailed',
  'SealPreCommit1Failed',
  'SealPreCommit2Failed',
  'PreCommitFailed',
  'ComputeProofFailed',
  'CommitFailed',
  'FinalizeFailed',
  'RemoveFailed',
] as const

export type SectorState = (typeof SECTOR_STATES)[number]

/** Nothing happens in these until somebody asks for it. */
export const STATES_AT_REST = ['Proving', 'Removed'] as const

export type FailedState = Extract<SectorState, `${string}Failed`>
export type RestState = (typeof STATES_AT_REST)[number]
/** States with a step of their own. */
export type WorkingState = Exclude<SectorState, FailedState | RestState>

export function isAtRest(state: SectorState): state is RestState {
  return (STATES_AT_REST as readonly string[]).includes(state)
}

export function isFailed(state: SectorState): state is FailedState {
  return state.endsWith('Failed')
}

/** @throws Error for a word that no version of this program writes: the record is damaged */
export function asSectorState(word: string): SectorState {
  const state = SECTOR_STATES.find((each) => each === word)
  if (state === undefined) throw new Error(`a sector's record holds the unknown state '${word}'`)
  return state
}
