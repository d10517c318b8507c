import { SealyardError, type SealyardErrorOptions } from '../base/errors.ts'
import { CALL_ERROR, type CallError } from '../protocol/types.ts'

/**
 * Codes: `TASK_FAILED`, `WORKER_RESTARTED`, `NO_SPACE`, `ABORTED`, `REQUEST_REMOVED`, `WORKER_VERSION`,
 * `WORKER_DISABLED`, `NO_ANSWER`, `BAD_RESOURCE`, `BAD_RESULT`, `NOT_HELD`, `REMOVE_INCOMPLETE`, `STOPPED`,
 * `NO_PUSH`, `BAD_POLICY`, `ALREADY_STORED`.
 */
export class SchedulerError extends SealyardError {
  /** The field's code when a worker answered a call with an error: 0, 100, 101, 102; else null. */
  readonly callCode: number | null
  /** The worker's own code for it, such as NOT_RESTARTABLE; null where it gave none, as a stranger does. */
  readonly workerCode: string | null

  constructor(options: SealyardErrorOptions & { callCode?: number | null; workerCode?: string | null }) {
    super(options)
    this.callCode = options.callCode ?? null
    this.workerCode = options.workerCode ?? null
  }
}

/** What a worker's CallError asks for: 0 is the task's own failure, all others may be tried again. */
export function fromCallError(error: NonNullable<CallError>, task: string, sector: string): SchedulerError {
  const codes: Record<number, string> = {
    [CALL_ERROR.temporary]: 'TASK_FAILED',
    [CALL_ERROR.workerRestarted]: 'WORKER_RESTARTED',
    [CALL_ERROR.noSpace]: 'NO_SPACE',
  }
  return new SchedulerError({
    code: codes[error.Code] ?? 'TASK_FAILED',
    level: error.Code in codes ? 'temporary' : 'permanent',
    message: `${task}: ${error.Message}`,
    sector,
    callCode: error.Code,
    workerCode: error.Sealyard?.code ?? null,
  })
}
