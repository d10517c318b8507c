import type { SpaceApi } from '../protocol/apis.ts'
import type { Reservation, WorkerJob } from '../protocol/types.ts'
import { sameSector, sectorName } from '../sectors/sector-id.ts'
import { SchedulerError } from './errors.ts'

/** RunWait of a job whose result is here: its worker needs the space no more (lotus-compat 5.4). */
const RETURNED = -2

/**
 * Gives back what was promised to work that will never end: its worker is gone for good. What a running call writes
 * to is not given to others.
 * @param jobs by worker, as `sealing jobs` lists them
 * @throws SchedulerError NOT_HELD when there is no such reservation, CALL_RUNS
 */
export async function releaseReservation(
  space: Pick<SpaceApi, 'SpaceReservations' | 'SpaceRelease'>,
  jobs: Readonly<Record<string, readonly WorkerJob[]>>,
  id: string,
): Promise<Reservation> {
  const held = (await space.SpaceReservations()).find((each) => each.id === id)
  if (held === undefined) {
    throw refusal('NOT_HELD', `there is no reservation ${id}; 'storage reservations' lists those there are`)
  }
  const running = Object.values(jobs)
    .flat()
    .find((job) => job.RunWait > RETURNED && sameSector(job.Sector, held.sector))
  if (running !== undefined) throw refusal('CALL_RUNS', runsWords(running))
  await space.SpaceRelease([id])
  return held
}

function runsWords({ ID, Sector, Task, Hostname, RunWait }: WorkerJob): string {
  const where = Hostname === '' ? 'a worker that is not connected' : Hostname
  const does = RunWait > 0 ? 'waits' : 'runs'
  const words = `a call of ${sectorName(Sector)} (${Task}) ${does} on ${where}: its space is given back when it ends`
  // What only waits has no call yet that could be given up.
  return RunWait > 0
    ? words
    : `${words}; if it never will, give it up first: 'sealing abort ${ID.ID.slice(0, 8)}'`
}

function refusal(code: string, message: string): SchedulerError {
  return new SchedulerError({ code, level: 'permanent', message })
}
