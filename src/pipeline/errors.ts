import { SealyardError } from '../base/errors.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'

export type PipelineErrorCode =
  | 'SECTOR_UNKNOWN'
  /** The sector is not in a state for this; the message says in which one it would be. */
  | 'SECTOR_STATE'
  /** What came has another length than was announced. */
  | 'PIECE_LENGTH'
  /** A piece's commitment after adding is not the one that was announced. */
  | 'PIECE_CHANGED'
  | 'PIECE_UNKNOWN'
  /** PC2 was made again and its commitment is another one. */
  | 'COMMITMENT_CHANGED'
  /** The repo's filesystem has no room for what is to be received. */
  | 'NO_SPACE'
  /** No output of C1 is kept. */
  | 'NO_COMMIT1'
  /** Nobody can run C2, or the parameters for this proof are not here. */
  | 'NO_PARAMETERS'
  | 'PROOF_INVALID'
  | 'PROOF_HERE'
  | 'NOT_STORED'
  | 'READING_FAILED'
  /** Two nodes read different proofs from what should be one file. */
  | 'READINGS_DIFFER'
  | 'NOT_UNSEALED'
  | 'BAD_OUTPUT'
  | 'OUTPUT_EXISTS'
  | 'REMOVE_FAILED'
  | 'STOPPED'

/** What `pipeline` throws; `code` is a PipelineErrorCode. */
export class PipelineError extends SealyardError {}

export interface PipelineFailure {
  readonly code: PipelineErrorCode
  readonly message: string
  /** Permanent unless said otherwise. */
  readonly level?: 'temporary' | 'permanent' | 'abort'
  readonly sector?: SectorId
  readonly cause?: unknown
}

export function pipelineError(failure: PipelineFailure): PipelineError {
  return new PipelineError({
    code: failure.code,
    level: failure.level ?? 'permanent',
    message: failure.message,
    sector: failure.sector === undefined ? null : sectorName(failure.sector),
    cause: failure.cause,
  })
}

export function stopped(): PipelineError {
  return pipelineError({
    code: 'STOPPED',
    level: 'temporary',
    message: 'the sealer is stopping; try again when it runs',
  })
}
