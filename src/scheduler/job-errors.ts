import { sectorName } from '../sectors/sector-id.ts'
import { taskCode } from '../sectors/task-types.ts'
import type { ConnectedWorker } from './connected-worker.ts'
import { SchedulerError } from './errors.ts'
import type { Job } from './job.ts'

export function aboutJob(job: Job): Record<string, unknown> {
  return { sector: sectorName(job.sector.ID), task: taskCode(job.task), request: job.id }
}

export function requestRemoved(job: Job): SchedulerError {
  return new SchedulerError({
    code: 'REQUEST_REMOVED',
    level: 'temporary',
    message: `${taskCode(job.task)}: an operator took the request out of the queue`,
    sector: sectorName(job.sector.ID),
  })
}

export function refusedTooOften(
  job: Job,
  worker: ConnectedWorker,
  reason: string,
  cause: unknown,
): SchedulerError {
  return new SchedulerError({
    code: 'WORKER_DISABLED',
    level: 'temporary',
    message: `${taskCode(job.task)} was refused ${job.timesRefused} times, last by ${worker.hostname}: ${reason}`,
    sector: sectorName(job.sector.ID),
    cause,
  })
}
