import test from 'ava'
import type { Reservation, WorkerJob } from '../../src/protocol/types.ts'
import { releaseReservation } from '../../src/scheduler/release-reservation.ts'

const SECTOR = { Miner: 1005, Number: 7 }
const HELD: Reservation = {
  id: 'path/sealed/s-t01005-7',
  owner: 'machine /repo',
  task: 'PC1',
  sector: SECTOR,
  fileType: 2,
  pathId: 'path',
  neededBytes: 2048,
  reportedBytes: 2048,
  onDiskBytes: 0,
}

function job(runWait: number, number = 7): WorkerJob {
  const sector = { ...SECTOR, Number: number }
  const id = { Sector: sector, ID: '4a5b6c7d-0000-4000-8000-000000000000' }
  return { ID: id, Sector: sector, Task: 'PC1', RunWait: runWait, Start: '', Hostname: 'w01' }
}

function account() {
  const released: string[] = []
  return {
    released,
    SpaceReservations: async () => [HELD],
    SpaceRelease: async (ids: string[]) => void released.push(...ids),
  }
}

for (const [runWait, words] of [
  [2, /waits on w01: its space is given back when it ends$/],
  [1, /waits on w01/],
  [0, /runs on w01: .*'sealing abort 4a5b6c7d'$/],
  [-1, /runs on w01/],
] as const) {
  test(`the space of a job whose RunWait is ${runWait} is not given away`, async (t) => {
    const space = account()
    const release = releaseReservation(space, { w01: [job(0, 8), job(runWait)] }, HELD.id)
    await t.throwsAsync(release, { code: 'CALL_RUNS', message: words })
    t.deepEqual(space.released, [])
  })
}

test('the space of work that has ended, or that nobody does, is given back', async (t) => {
  for (const jobs of [{}, { w01: [job(-2), job(-3), job(0, 8)] }]) {
    const space = account()
    t.is(await releaseReservation(space, jobs, HELD.id), HELD)
    t.deepEqual(space.released, [HELD.id])
  }
  await t.throwsAsync(releaseReservation(account(), {}, 'another'), { code: 'NOT_HELD' })
})
