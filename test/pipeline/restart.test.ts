import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { MIN_RETRY_MS, pipelineAtHand, turns } from './pipeline-at-hand.ts'

const CALLS = [
  'AP 0 2032 zeroes',
  'ticket',
  'PC1',
  'PC2',
  'submitPreCommit',
  'preCommitLanded',
  'seed',
  'C1',
  'C2 {"vanilla":"proofs"}',
  'submitCommit',
  'commitLanded',
  'FIN nothing',
]

const untilStopped = (signal?: AbortSignal) =>
  new Promise<void>((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })

for (const call of CALLS) {
  test(`a sealer that stops during ${call.split(' ')[0]} goes on from there and does nothing else again`, async (t) => {
    const { api, until, cluster, restart } = await pipelineAtHand(t)
    cluster.script = (each, signal) => (each === call ? untilStopped(signal) : undefined)
    await api().PledgeSector()
    await turns(() => cluster.calls.includes(call))
    const before = await api().SectorsStatus(1, false)
    cluster.script = () => undefined
    await restart()
    const status = await until(1, 'Proving')
    t.is(status.Retries, 0, 'a stop is no failure')
    t.is(before.LastErr, '')
    const index = CALLS.indexOf(call)
    t.deepEqual(cluster.calls, [...CALLS.slice(0, index + 1), ...CALLS.slice(index)])
  })
}

test('a result that comes while the sealer stops is kept', async (t) => {
  const { api, until, cluster, restart } = await pipelineAtHand(t)
  cluster.script = (call, signal) =>
    call === 'PC1' ? untilStopped(signal).catch(() => undefined) : undefined
  await api().PledgeSector()
  await turns(() => cluster.calls.includes('PC1'))
  cluster.script = () => undefined
  await restart()
  await until(1, 'Proving')
  t.is(cluster.calls.filter((call) => call === 'PC1').length, 1)
})

test('a failed sector does not wait longer because of a restart', async (t) => {
  const { api, until, cluster, clock, restart } = await pipelineAtHand(t)
  cluster.script = (call) => {
    if (call === 'PC2') throw new Error('no luck')
  }
  await api().PledgeSector()
  await until(1, 'SealPreCommit2Failed')
  await turns(() => clock.sleeping > 0)
  await clock.advance(MIN_RETRY_MS - 1000)
  cluster.script = () => undefined
  await restart()
  await turns(() => clock.sleeping > 0)
  t.is((await api().SectorsStatus(1, false)).State, 'SealPreCommit2Failed')
  await clock.advance(1000)
  await until(1, 'Proving')
})

test('after a restart C2 waits for its worker to connect again before it is deferred', async (t) => {
  const { api, until, cluster, clock, restart } = await pipelineAtHand(t)
  cluster.script = (call, signal) => (call.startsWith('C2') ? untilStopped(signal) : undefined)
  await api().PledgeSector()
  await turns(() => cluster.calls.some((call) => call.startsWith('C2')))
  cluster.commit2 = false
  cluster.script = () => undefined
  await clock.advance(1)
  await restart()
  await turns(() => clock.sleeping > 0)
  t.is((await api().SectorsStatus(1, false)).State, 'Committing')
  cluster.commit2 = true
  await clock.advance(1000)
  const status = await until(1, 'Proving')
  t.not(status.Proof, null)
})

test('after a restart C2 is deferred when nobody has come back in time', async (t) => {
  const { api, until, cluster, clock, restart } = await pipelineAtHand(t)
  cluster.script = (call, signal) => (call.startsWith('C2') ? untilStopped(signal) : undefined)
  await api().PledgeSector()
  await turns(() => cluster.calls.some((call) => call.startsWith('C2')))
  cluster.commit2 = false
  await clock.advance(1)
  await restart()
  await turns(() => clock.sleeping > 0)
  await clock.advance(MIN_RETRY_MS)
  const status = await until(1, 'Proving')
  t.regex(status.Sealyard?.commit2 ?? '', /deferred/)
})

test('a removal goes on after a restart', async (t) => {
  const { api, until, cluster, restart } = await pipelineAtHand(t)
  await api().PledgeSector()
  await until(1, 'Proving')
  let fails = 1
  cluster.script = () => {
    if (fails-- > 0) throw new Error('a worker is away')
  }
  await t.throwsAsync(api().SectorRemove(1), { code: 'REMOVE_FAILED' })
  await restart()
  t.is((await api().SectorsStatus(1, false)).State, 'RemoveFailed')
  await api().SectorRemove(1)
  t.is((await api().SectorsStatus(1, false)).State, 'Removed')
})

test('sectors at rest stay at rest, and a deferred C2 stays to be taken up', async (t) => {
  const { api, until, cluster, restart, repo } = await pipelineAtHand(t)
  cluster.commit2 = false
  await api().PledgeSector()
  await until(1, 'Proving')
  const before = [...cluster.calls]
  cluster.commit2 = true
  await restart()
  t.deepEqual(cluster.calls, before)
  await rm(join(repo, 'commit1', 's-t01005-1.json'))
  await t.throwsAsync(api().Commit2(1), { code: 'NO_COMMIT1' })
  t.is((await api().SectorsStatus(1, false)).State, 'Proving')
})

test('an output of C1 that is lost before the cache is trimmed is made again', async (t) => {
  const { api, until, cluster, restart, repo } = await pipelineAtHand(t)
  cluster.script = (call, signal) => (call.startsWith('C2') ? untilStopped(signal) : undefined)
  await api().PledgeSector()
  await turns(() => cluster.calls.some((call) => call.startsWith('C2')))
  await rm(join(repo, 'commit1', 's-t01005-1.json'))
  cluster.script = () => undefined
  await restart()
  await until(1, 'Proving')
  t.is(cluster.calls.filter((call) => call === 'C1').length, 2)
})
