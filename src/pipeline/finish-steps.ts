import type { KeptRange } from '../scheduler/sector-tasks.ts'
import { dataPieces, refOf, type SectorRecord } from './sector-record.ts'
import type { Step } from './step.ts'

/** FUS, FIN, GET. A proof that was brought meanwhile is submitted next. */
export const finalizeSector: Step = async (record, { tasks }, signal) => {
  await tasks.finalize(refOf(record), keptRanges(record), signal)
  return (now) => ({
    to: now.proof !== null && now.commitMessage === null ? 'SubmitCommit' : 'Proving',
    set: { finalized: true, phase1Output: null },
    event: { kind: 'FIN', message: 'cache is trimmed, the sector lies in a store path' },
  })
}

/** The field keeps what holds somebody's data; a sector of zeroes alone has nothing worth keeping. */
function keptRanges(record: SectorRecord): KeptRange[] {
  if (!record.keepUnsealed) return []
  return dataPieces(record).map((piece) => ({ Offset: piece.offset, Size: piece.size }))
}

export const removing: Step = async (record, { tasks, staging, commit1Files }, signal) => {
  await tasks.remove(record.id, signal)
  if (record.staging !== null) await staging.drop(record.staging)
  if (record.commit1File !== null) await commit1Files.remove(record.commit1File)
  return {
    to: 'Removed',
    set: { staging: null, commit1File: null, phase1Output: null, lastError: null },
    event: { kind: 'state', message: 'all files are removed' },
  }
}
