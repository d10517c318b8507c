import {
  describeError,
  errorCode,
  isSealyardError,
  SealyardError,
  type SealyardErrorOptions,
} from '../base/errors.ts'
import { CALL_ERROR, type CallError } from '../protocol/types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'

export type WorkerErrorCode =
  | 'WORKER_DISABLED'
  /** The worker is being stopped and takes no more work. */
  | 'STOPPING'
  /** The cache is not what the task builds on: another ticket, another phase, files missing. */
  | 'CACHE_UNUSABLE'
  /** Groth16 parameters for C2 are not on this host. */
  | 'NO_PARAMETERS'
  | 'UNKNOWN_TASK'
  /** Files of a sector could not all be removed. */
  | 'REMOVE_INCOMPLETE'
  | 'NOT_HELD'
  | 'NOT_SUPPORTED'
  | 'BAD_REQUEST'
  /** The sealer speaks another version of the miner API. */
  | 'SEALER_VERSION'

/** What `worker` throws. */
export class WorkerError extends SealyardError {}

export function workerError(
  failure: Omit<SealyardErrorOptions, 'code' | 'level' | 'sector'> & {
    readonly code: WorkerErrorCode
    /** `permanent` by default. */
    readonly level?: SealyardErrorOptions['level']
    readonly sector?: SectorId
  },
): WorkerError {
  const { sector, level = 'permanent', ...rest } = failure
  return new WorkerError({ ...rest, level, sector: sector === undefined ? null : sectorName(sector) })
}

/**
 * A task's failure as the sealer is told: no space 102, what may work later or elsewhere 100, all else 0.
 * @param doing `PC1 of s-t01000-7`; the host stands behind it as in lotus' messages, `[name: wk1]`
 */
export function toCallError(error: unknown, doing: string, host: string): NonNullable<CallError> {
  const failure = { Code: callErrorCode(error), Message: `${doing} [name: ${host}]: ${describeError(error)}` }
  const code = errorCode(error) ?? ''
  return TOLD_CODES.has(code) ? { ...failure, Sealyard: { code } } : failure
}

/** Failures that no second try of the same task mends: PC1 has to run again. */
const TOLD_CODES: ReadonlySet<string> = new Set(['NOT_RESTARTABLE', 'CACHE_UNUSABLE'])

function callErrorCode(error: unknown): number {
  if (!isSealyardError(error)) return CALL_ERROR.unknown
  if (error.code === 'NO_SPACE') return CALL_ERROR.noSpace
  // `critical` is this host's trouble: another worker may well succeed.
  return error.level === 'temporary' || error.level === 'critical' ? CALL_ERROR.temporary : CALL_ERROR.unknown
}

/** What the sealer is told of a call that a run of this worker, now over, had taken. */
export function restartedError(host: string): NonNullable<CallError> {
  return { Code: CALL_ERROR.workerRestarted, Message: `worker [name: ${host}] restarted` }
}

/** This node has no such file: what was to be removed is not there. */
export function isNotHeld(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'NOT_HELD' || code === 'NOT_FOUND'
}
