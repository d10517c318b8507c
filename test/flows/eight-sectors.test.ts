import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { SectorId } from '../../src/sectors/sector-id.ts'
import { TASK } from '../../src/sectors/task-types.ts'
import { ClusterAtHand, MINER } from './cluster-at-hand.ts'

const SECTORS = 8

const WORKERS_SEAL = `
[Storage]
AllowAddPiece = false
AllowPreCommit1 = false
AllowPreCommit2 = false
AllowCommit = false

[Sealing]
AlwaysKeepUnsealedCopy = false

[Chain]
OfflineWait = "10ms"
`

test('eight sectors at once: PC1 and PC2 stay together, each finalize is its holder’s, nothing crosses the network', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: ['w01', 'w04'], config: WORKERS_SEAL })
  const api = await cluster.api()
  const sectors = await Promise.all(Array.from({ length: SECTORS }, () => api.PledgeSector()))
  for (const sector of sectors) await cluster.untilState(sector.Number, 'Proving')

  const decisions = await api.Decisions()
  const workerOf = (sector: SectorId, task: string) => {
    const made = decisions.find(
      (each) => each.sector.Number === sector.Number && each.task === task && each.chosen !== null,
    )
    return made?.windows.find((window) => window.window === made.chosen)?.hostname ?? 'nobody'
  }
  const sealers = sectors.map((sector) => workerOf(sector, TASK.PC1))
  t.deepEqual(
    sectors.map((sector) => workerOf(sector, TASK.PC2)),
    sealers,
    'PC2 is done where PC1 was',
  )
  t.deepEqual(
    sectors.map((sector) => workerOf(sector, TASK.GET)),
    sealers,
    'the move to the store is done by the holder',
  )
  t.deepEqual([...new Set(sealers)].sort(), ['w01', 'w04'], 'both workers seal')

  const transfers = (
    await Promise.all([
      api.Transfers(),
      ...[...cluster.workers.keys()].map(async (name) => (await cluster.workerApi(name)).Transfers()),
    ])
  ).flat()
  t.true(transfers.length >= 2 * SECTORS, 'sealed and cache of each sector are moved')
  t.deepEqual(
    transfers.filter((each) => !['rename', 'clone'].includes(each.method) || each.state !== 'done'),
    [],
    'everything is on one filesystem: renames and clones are enough',
  )

  const stored = await readdir(join(cluster.directory, 'store', 'sealed'))
  t.deepEqual(
    stored.filter((name) => name !== 'fetching').sort(),
    sectors.map((sector) => `s-t0${MINER}-${sector.Number}`).sort(),
  )
  for (const name of cluster.workers.keys()) {
    for (const type of ['unsealed', 'sealed', 'cache']) {
      const left = await readdir(join(cluster.directory, `seal-${name}`, type)).catch(() => [])
      t.deepEqual(
        left.filter((each) => each !== 'fetching'),
        [],
        `${type} of seal-${name} is empty`,
      )
    }
  }
  t.deepEqual(await api.SpaceReservations(), [], 'no space stays promised')
})
