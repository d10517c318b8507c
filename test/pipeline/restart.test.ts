import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { TASK } from '../../src/sectors/task-types.ts'
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
  const waiting = await api().SectorsStatus(1, false)
  t.is(waiting.State, 'Committing')
  const until20s = new Date(clock.now() + 20_000).toISOString()
  const words = `waiting until ${until20s} for workers to reconnect before C2 is deferred`
  t.is(waiting.Sealyard?.commit2, words)
  await clock.advance(1000)
  await turns(() => clock.sleeping > 0)
  cluster.commit2 = true
  t.is((await api().SectorsStatus(1, false)).Sealyard?.commit2, null)
  await clock.advance(1000)
  const status = await until(1, 'Proving')
  t.not(status.Proof, null)
  t.deepEqual(
    status.Log.map((event) => event.Message).filter((message) => message.startsWith('waiting')),
    [words],
    'told once',
  )
})

test('after a restart C2 is deferred when nobody has come back in time', async (t) => {
  const { api, until, cluster, clock, restart } = await pipelineAtHand(t)
  cluster.script = (call, signal) => (call.startsWith('C2') ? untilStopped(signal) : undefined)
  await api().PledgeSector()
  await turns(() => cluster.calls.some((call) => call.startsWith('C2')))
  cluster.commit2 = false
  await clock.advance(1)
  await restart()
  for (let second = 0; second < 20; second++) {
    await turns(() => clock.sleeping > 0)
    t.is((await api().SectorsStatus(1, false)).State, 'Committing')
    await clock.advance(1000)
  }
  const status = await until(1, 'Proving')
  t.regex(status.Sealyard?.commit2 ?? '', /deferred/)
})

test('after a restart the scheduler hears which results are still wanted, also of sectors at rest', async (t) => {
  const { api, until, cluster, restart } = await pipelineAtHand(t)
  await api().PledgeSector()
  await until(1, 'Proving')
  cluster.commit2 = false
  await api().PledgeSector()
  await until(2, 'Proving')
  await api().PledgeSector()
  await until(3, 'Proving')
  await api().SectorRemove(3)
  cluster.settled.clear()
  await restart()
  t.deepEqual(
    [...cluster.settled].toSorted(([a], [b]) => a - b),
    [
      [1, null],
      [2, TASK.C2],
      [3, null],
    ],
  )
})

test('what a step was asked for is wanted until its result is saved', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  const wanted = new Map<string, string | null | undefined>()
  cluster.script = (call) => void wanted.set(call.split(' ')[0] ?? '', cluster.settled.get(1))
  await api().PledgeSector()
  await until(1, 'Proving')
  const { AP, PC1, PC2, C1, C2 } = TASK
  for (const [call, task] of Object.entries({ AP, PC1, PC2, submitPreCommit: null, C1, C2 })) {
    t.is(wanted.get(call), task, call)
  }
  t.is(wanted.get('submitCommit'), null)
  t.is(wanted.get('FIN'), null)
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

test('a sealer that stops does not wait for a piece that is still on its way', async (t) => {
  const { api, restart, repo } = await pipelineAtHand(t, {
    readers: { receive: () => new Promise(() => undefined) },
  })
  const added = t.throwsAsync(
    api().SectorAdd({ pieces: [{ dataBytes: 5, reader: { Type: 'push', Info: 'slow' } }] }),
    { code: 'STOPPED' },
  )
  await turns(async () => (await readdir(join(repo, 'staging'))).length > 0)
  await restart()
  await added
  t.deepEqual(await readdir(join(repo, 'staging')), [])
})
