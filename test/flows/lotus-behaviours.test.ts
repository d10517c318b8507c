import { randomBytes } from 'node:crypto'
import { access, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ClusterAtHand, MINER } from './cluster-at-hand.ts'

// What lotus' own integration tests ask of a cluster of real daemons, by their names.

const WORKERS_SEAL = `
[Storage]
AllowAddPiece = false
AllowPreCommit1 = false
AllowPreCommit2 = false
AllowCommit = false
AllowUnseal = false

[Chain]
OfflineWait = "10ms"
`

test('TestPledgeMaxConcurrentGet: with one GET at a time, three sectors at once reach a store path of their own', async (t) => {
  t.timeout(300_000)
  const env = { GET_2K_MAX_CONCURRENT: '1' }
  const cluster = await ClusterAtHand.start(t, { workers: ['w01'], config: WORKERS_SEAL, env })
  const api = await cluster.api()
  const [stats] = Object.values(await api.WorkerStats()).filter(({ Info }) => Info.Hostname === 'w01')
  t.is(stats?.Info.Resources.Resources?.['seal/v0/fetch']?.['5']?.MaxConcurrent, 1, 'the limit is in force')
  const sectors = await Promise.all(Array.from({ length: 3 }, () => api.PledgeSector()))
  for (const { Number: number } of sectors) await cluster.untilState(number, 'Proving')
  for (const { Number: number } of sectors) {
    const name = `s-t0${MINER}-${number}`
    for (const type of ['sealed', 'cache']) {
      await t.notThrowsAsync(access(join(cluster.directory, 'store', type, name)))
      await t.throwsAsync(access(join(cluster.directory, 'seal-w01', type, name)), { code: 'ENOENT' })
    }
  }
  t.deepEqual(await api.SpaceReservations(), [])
  t.deepEqual((await api.StorageGetLocks()).Locks, [])
})

test('TestUnsealPiece: a piece whose unsealed copy was removed is unsealed through the API, and read', async (t) => {
  t.timeout(300_000)
  const cluster = await ClusterAtHand.start(t, { workers: ['w01'], config: WORKERS_SEAL })
  const data = randomBytes(700)
  const file = join(cluster.directory, 'piece.in')
  await writeFile(file, data)
  const added = JSON.parse(await cluster.sealerSays('sectors', 'add', '--piece', file, '--json')) as {
    sector: { Number: number }
  }
  const { Number: number } = added.sector
  await cluster.untilState(number, 'Proving')
  const unsealed = join(cluster.directory, 'store/unsealed', `s-t0${MINER}-${number}`)
  await t.notThrowsAsync(access(unsealed), 'the copy of a sector with data is kept')

  await rm(unsealed)
  await cluster.sealerSays('storage', 'redeclare', '--all')
  const api = await cluster.api()
  const output = join(cluster.directory, 'piece.out')
  await t.throwsAsync(api.ReadPiece(number, 0, output), { code: 'NOT_UNSEALED' })
  await api.SectorUnseal(number)
  await t.notThrowsAsync(access(unsealed), 'it lies in the store path again')
  await api.ReadPiece(number, 0, output)
  t.true((await readFile(output)).equals(data))
})
