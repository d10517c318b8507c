import type { Clock } from '../base/clock.ts'
import type { SectorIndex } from '../sector-index/sector-index.ts'
import type { Experience, Snapshot, WorkerView } from './decide/snapshot.ts'
import type { Job } from './job.ts'
import type { WorkerDesk } from './worker-desk.ts'

export interface SnapshotSources {
  readonly clock: Clock
  readonly index: SectorIndex
  readonly queue: readonly Job[]
  readonly desks: readonly WorkerDesk[]
  readonly openWindows: readonly string[]
  readonly experience: Experience
}

/** What a round of decisions rests on; good until the next await. */
export function snapshotOf(sources: SnapshotSources): Snapshot {
  const { clock, index, queue, desks, openWindows, experience } = sources
  const monotonicMs = clock.monotonicMs()
  const workers = desks.map((desk): [string, WorkerView] => {
    const refusals = refusalsOf(queue, desk.worker.id, desks, monotonicMs)
    return [desk.worker.id, { ...desk.view(), refusals }]
  })
  return {
    nowMs: clock.now(),
    monotonicMs,
    queue,
    openWindows,
    workers: new Map(workers),
    index: index.view(),
    experience,
  }
}

function refusalsOf(
  queue: readonly Job[],
  worker: string,
  desks: readonly WorkerDesk[],
  nowMs: number,
): Map<string, string> {
  const refusals = new Map<string, string>()
  for (const job of queue) {
    const refusal = job.refusals.get(worker)
    if (refusal !== undefined && refusal.untilMs > nowMs) {
      refusals.set(job.id, `would not take it a moment ago: ${refusal.reason}`)
    }
    const other = perhapsElsewhere(job, worker, desks, nowMs)
    if (other !== null) refusals.set(job.id, other)
  }
  return refusals
}

/** Which other worker may do the job, in words; one that has been started again does not. */
function perhapsElsewhere(
  { perhapsOn }: Job,
  worker: string,
  desks: readonly WorkerDesk[],
  nowMs: number,
): string | null {
  if (perhapsOn === null || perhapsOn.worker === worker || perhapsOn.untilMs <= nowMs) return null
  const other = desks.find((desk) => desk.worker.id === perhapsOn.worker)?.worker.hostname
  if (other !== undefined) return `${other} may do it already: its answer was lost`
  if (perhapsOn.awayUntilMs <= nowMs) return null
  return 'a worker that has not come back yet may do it already: its answer was lost'
}
