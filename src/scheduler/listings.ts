import type { Decision, SchedDiag, WorkerJob, WorkerStats } from '../protocol/types.ts'
import type { Calls } from './calls.ts'
import type { Job } from './job.ts'
import type { SchedulingLoop } from './loop.ts'
import type { RunningCall } from './running-call.ts'
import { taskOfMethod } from './work-key.ts'
import type { WorkRow } from './work-rows.ts'
import type { WorkerDesk } from './worker-desk.ts'

/** RunWait in the field's listings: 2 and more is the window's number + 2. */
const RUN_WAIT = { prepared: 1, running: 0, retWait: -1, returned: -2, retDone: -3 } as const
const NO_CALL = '00000000-0000-0000-0000-000000000000'

export function workerStats(loop: SchedulingLoop): Record<string, WorkerStats> {
  return Object.fromEntries(
    loop.desks().map((desk) => {
      const running = [...desk.runningJobs(), ...loop.followed(desk.worker.id)]
      return [desk.worker.id, desk.worker.stats(running)]
    }),
  )
}

/** By worker: what runs, what waits there, and results that were not taken or only just. */
export function workerJobs(loop: SchedulingLoop, calls: Calls): Record<string, WorkerJob[]> {
  const jobs: Record<string, WorkerJob[]> = {}
  const add = (worker: string, job: Omit<WorkerJob, 'Hostname'>) => {
    const hostname = loop.workers().find((each) => each.id === worker)?.hostname ?? ''
    jobs[worker] = [...(jobs[worker] ?? []), { ...job, Hostname: hostname }]
  }
  for (const call of calls.running()) add(call.subject.worker, runningJob(call))
  for (const { row, taken } of calls.done()) add(row.worker ?? '', doneJob(row, taken))
  for (const desk of loop.desks()) for (const job of waitingJobs(desk)) add(desk.worker.id, job)
  return jobs
}

function runningJob(call: RunningCall): Omit<WorkerJob, 'Hostname'> {
  return {
    ID: call.id,
    Sector: call.subject.sector,
    Task: call.subject.task,
    RunWait: call.awaited ? RUN_WAIT.running : RUN_WAIT.retWait,
    Start: new Date(call.startedAt).toISOString(),
  }
}

function doneJob(row: WorkRow, taken: boolean): Omit<WorkerJob, 'Hostname'> {
  const sector = { Miner: row.miner, Number: row.number }
  return {
    ID: { Sector: sector, ID: row.call_id ?? NO_CALL },
    Sector: sector,
    Task: taskOfMethod(row.method),
    RunWait: taken ? RUN_WAIT.retDone : RUN_WAIT.returned,
    Start: new Date(row.created_at).toISOString(),
  }
}

function waitingJobs(desk: WorkerDesk): Omit<WorkerJob, 'Hostname'>[] {
  const windowed = desk
    .windowedJobs()
    .flatMap((jobs, window) => jobs.map((job) => waitingJob(job, window + 2)))
  return [...desk.preparedJobs().map((job) => waitingJob(job, RUN_WAIT.prepared)), ...windowed]
}

function waitingJob(job: Job, runWait: number): Omit<WorkerJob, 'Hostname'> {
  return {
    ID: { Sector: job.sector.ID, ID: NO_CALL },
    Sector: job.sector.ID,
    Task: job.task,
    RunWait: runWait,
    Start: new Date(job.stageAt).toISOString(),
  }
}

/** One line a worker and reason, however many windows it has. */
function waitsOf(decision: Decision | undefined) {
  if (decision === undefined || decision.chosen !== null) return {}
  const reasons = decision.windows.map(({ hostname, reason }) => `${hostname}: ${reason}`)
  return { Sealyard: { waits: [...new Set(reasons)] } }
}

export function schedDiag(loop: SchedulingLoop, calls: Calls): SchedDiag {
  const running = calls.running()
  const decided = new Map(loop.decisions().map((decision) => [decision.request, decision]))
  return {
    SchedInfo: {
      Requests: loop.queued().map((job) => ({
        Sector: job.sector.ID,
        TaskType: job.task,
        Priority: job.priority,
        SchedId: job.id,
        ...waitsOf(decided.get(job.id)),
      })),
      OpenWindows: [...loop.openWindows()],
    },
    ReturnedWork: calls.done().flatMap(({ row, taken }) => (taken ? [] : [row.key])),
    Waiting: running.flatMap(({ awaited, subject: { work } }) =>
      awaited && work !== null ? [work.key] : [],
    ),
    CallToWork: Object.fromEntries(
      running.flatMap(({ id, subject: { work } }) => (work === null ? [] : [[id.ID, work.key]])),
    ),
    EarlyRet: calls.early(),
  }
}
