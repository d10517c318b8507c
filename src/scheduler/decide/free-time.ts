import { asWork, type TaskRequest, workNeeds } from './request.ts'
import type { Experience, WorkerView } from './snapshot.ts'

interface Ending {
  readonly request: TaskRequest
  readonly atMs: number
}

/**
 * Seconds until the worker would begin a task: what runs ends, what waits begins in its order, then the task.
 * A kind of task that has never ended is taken to last as long again as it has run.
 */
export function secondsUntilFree(
  request: TaskRequest,
  worker: WorkerView,
  given: readonly TaskRequest[],
  experience: Experience,
): number {
  const account = worker.active.clone()
  const endings: Ending[] = worker.running.map(({ request: running, elapsedMs }) => {
    const expectedMs = lastsMs(running, experience) ?? 2 * elapsedMs
    return { request: running, atMs: Math.max(0, expectedMs - elapsedMs) }
  })
  let nowMs = 0
  for (const next of [...worker.waiting, ...given, request]) {
    while (!account.fits(asWork(next), workNeeds(next, worker.info), worker.info)) {
      endings.sort((a, b) => a.atMs - b.atMs)
      const ending = endings.shift()
      if (ending === undefined) break
      nowMs = Math.max(nowMs, ending.atMs)
      account.free(asWork(ending.request), workNeeds(ending.request, worker.info), worker.info)
    }
    account.add(asWork(next), workNeeds(next, worker.info), worker.info)
    endings.push({ request: next, atMs: nowMs + (lastsMs(next, experience) ?? 0) })
  }
  return nowMs / 1000
}

function lastsMs(request: TaskRequest, experience: Experience): number | null {
  return experience.taskMs(request.task, request.sector.ProofType)
}
