import { TASK, type TaskType } from '../sectors/task-types.ts'
import type { SectorRecord } from './sector-record.ts'

/**
 * Of the tasks whose results outlive a restart of the sealer, the one that a sector may still ask for; null when what
 * it needs of them is in its record.
 */
export function wantedWork(record: SectorRecord): TaskType | null {
  switch (record.state) {
    case 'AddPiece':
    case 'AddPieceFailed':
    case 'Packing':
    case 'PackingFailed':
      return TASK.AP
    case 'GetTicket':
    case 'PreCommit1':
    case 'SealPreCommit1Failed':
      return TASK.PC1
    case 'PreCommit2':
    case 'SealPreCommit2Failed':
      return TASK.PC2
    case 'Committing':
    case 'ComputeProofFailed':
      return record.commit1File === null ? TASK.C1 : TASK.C2
    // A deferred C2 may run on a worker that was away: its proof is taken when the C2 is taken up.
    case 'FinalizeSector':
    case 'FinalizeFailed':
    case 'Proving':
      return record.proof === null && record.commit1File !== null ? TASK.C2 : null
    default:
      return null
  }
}
