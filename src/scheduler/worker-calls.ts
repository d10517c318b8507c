import type { z } from 'zod'
import { describeError, isSealyardError } from '../base/errors.ts'
import type { CallId } from '../protocol/types.ts'
import { type FileTypeBits, fileTypeBits } from '../sectors/file-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { TASK, type TaskType, taskCode } from '../sectors/task-types.ts'
import type { Calls } from './calls.ts'
import type { ConnectedWorker } from './connected-worker.ts'
import type { Brought } from './decide/request.ts'
import { SchedulerError } from './errors.ts'
import type { TrackedWork } from './work-key.ts'

/** One call to a worker, followed to its result. */
export interface WorkerCall<T> {
  readonly sector: SectorRef
  readonly task: TaskType
  readonly work: TrackedWork | null
  readonly result: z.ZodType<T>
  invoke(worker: ConnectedWorker): Promise<CallId>
}

/** @throws SchedulerError BAD_RESULT when the worker answers with something that is no such result */
export async function call<T>(calls: Calls, worker: ConnectedWorker, options: WorkerCall<T>): Promise<T> {
  const subject = { sector: options.sector.ID, task: options.task, worker: worker.id, work: options.work }
  const value = await calls.run(subject, () => options.invoke(worker))
  return checkedResult(options, value)
}

export function checkedResult<T>(
  options: Pick<WorkerCall<T>, 'sector' | 'task' | 'result'>,
  value: unknown,
): T {
  const parsed = options.result.safeParse(value)
  if (parsed.success) return parsed.data
  throw new SchedulerError({
    code: 'BAD_RESULT',
    level: 'temporary',
    message: `${taskCode(options.task)}: the worker's result makes no sense: ${parsed.error.issues[0]?.message}`,
    sector: sectorName(options.sector.ID),
  })
}

/** Prepare: brings files to the worker; it does nothing where they are there already. */
export async function fetchTo(
  calls: Calls,
  worker: ConnectedWorker,
  sector: SectorRef,
  { files, pathKind }: Brought,
  mode: 'move' | 'copy',
): Promise<void> {
  const bits: FileTypeBits = fileTypeBits(...files.keys())
  const subject = { sector: sector.ID, task: TASK.GET, worker: worker.id, work: null }
  await calls.run(subject, () => worker.connection.api.Fetch(sector, bits, pathKind, mode))
}

/** A piece's bytes, and the UUID that the call names. */
export interface Supply {
  readonly uuid: string
  /** On the sealer's machine. */
  readonly file: string
  readonly dataBytes: number
}

/**
 * AP with its bytes: a push runs beside the call, for the worker asks for it when it is ready.
 * @throws SchedulerError NO_PUSH when the bytes could not be sent, which is then why the call failed
 */
export async function withSupply<T>(
  worker: ConnectedWorker,
  sector: SectorRef,
  { uuid, file, dataBytes }: Supply,
  run: () => Promise<T>,
): Promise<T> {
  let pushError: unknown = null
  void worker.connection.pushFile(uuid, file, dataBytes).catch((error: unknown) => {
    pushError = error
  })
  try {
    return await run()
  } catch (error) {
    // A worker that died took the push along: that says more, and is tried again at once.
    if (pushError === null || isSealyardError(error, 'WORKER_RESTARTED')) throw error
    throw new SchedulerError({
      code: 'NO_PUSH',
      level: 'temporary',
      message: `${file} could not be sent to ${worker.hostname}: ${describeError(pushError)}`,
      sector: sectorName(sector.ID),
      cause: error,
    })
  }
}
