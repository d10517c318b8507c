import test from 'ava'
import { isSealyardError } from '../../src/base/errors.ts'
import { Cluster, quiet, sectorOf, until } from './cluster-at-hand.ts'
import { CACHE_AND_SEALED, FRED, ONE } from './deployments.ts'

test('TestSchedulerRemoveRequest: a request that nobody can take is listed and can be taken out', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  await cluster.connect({ ...FRED, tasks: ['AP', 'PC1'] })
  await cluster.index.StorageDeclareSector('seal', sectorOf(1).ID, CACHE_AND_SEALED, true)
  const failed = t.throwsAsync(cluster.tasks.preCommit2(sectorOf(1), 'cGMx'))
  await quiet()
  const [waiting] = (await cluster.scheduler.diag(true)).SchedInfo.Requests
  t.is(waiting?.TaskType, 'seal/v0/precommit/2')
  t.is(cluster.scheduler.decisions().at(-1)?.windows[0]?.reason, 'does not take PC2')
  await cluster.scheduler.removeRequest(waiting?.SchedId ?? '')
  t.true(isSealyardError(await failed, 'REQUEST_REMOVED'))
  t.deepEqual((await cluster.scheduler.diag(false)).SchedInfo.Requests, [])
  await t.throwsAsync(cluster.scheduler.removeRequest('nobody'), { message: /no request nobody/ })
})

test('a task whose files nobody holds fails at once, with the words to act on', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  await cluster.connect(FRED)
  const error = await t.throwsAsync(cluster.tasks.preCommit2(sectorOf(1), 'cGMx'))
  t.true(isSealyardError(error, 'NOT_HELD') && error.level === 'temporary')
})

test('a worker’s own failure fails the task, its full disk asks for another try', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect(FRED)
  for (const [Code, code, level] of [
    [0, 'TASK_FAILED', 'permanent'],
    [100, 'TASK_FAILED', 'temporary'],
    [101, 'WORKER_RESTARTED', 'temporary'],
    [102, 'NO_SPACE', 'temporary'],
  ] as const) {
    const failed = t.throwsAsync(cluster.tasks.commit2(sectorOf(1), 'YzE='))
    await until(() => fred.taken.length === 1, 'C2 is taken')
    await fred.finish(fred.taken[0]!, { Code, Message: 'no' })
    const error = await failed
    t.true(isSealyardError(error, code), String(error))
    t.is(isSealyardError(error) ? error.level : '', level)
  }
})

test('a worker’s own code for a failure comes through, for who can do better than try again', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect(FRED)
  const failed = t.throwsAsync(cluster.tasks.commit2(sectorOf(1), 'YzE='))
  await until(() => fred.taken.length === 1, 'C2 is taken')
  await fred.finish(fred.taken[0]!, { Code: 0, Message: 'no', Sealyard: { code: 'NOT_RESTARTABLE' } })
  t.like(await failed, { code: 'TASK_FAILED', workerCode: 'NOT_RESTARTABLE' })
})

test('abort answers the caller; the worker’s late result changes nothing', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect(FRED)
  const failed = t.throwsAsync(cluster.tasks.commit2(sectorOf(1), 'YzE='))
  await until(() => fred.taken.length === 1, 'C2 is taken')
  const [call] = fred.taken
  const [job] = cluster.scheduler.workerJobs()[fred.session] ?? []
  t.deepEqual([job?.ID, job?.Task, job?.RunWait, job?.Hostname], [call?.id, 'seal/v0/commit/2', 0, 'fred'])
  await cluster.scheduler.abort(call!.id)
  t.regex((await failed)?.message ?? '', /task aborted/)
  await fred.finish(call!)
  t.deepEqual(cluster.scheduler.workerJobs(), {})
})

test('a caller that gives up is let go; what runs keeps its lock, so that nothing is removed under it', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect(FRED)
  await cluster.index.StorageDeclareSector('seal', sectorOf(1).ID, 7, true)
  const stop = new AbortController()
  const failed = t.throwsAsync(cluster.tasks.preCommit2(sectorOf(1), 'cGMx', stop.signal))
  await until(() => fred.taken.length === 1, 'the fetch is taken')
  await fred.finish(fred.taken[0]!)
  await until(() => fred.takenOf('SealPreCommit2').length === 1, 'PC2 is taken')
  stop.abort(new Error('enough'))
  t.is((await failed)?.message, 'enough')
  const removal = cluster.tasks.remove(sectorOf(1).ID)
  await quiet()
  t.false(fred.log.includes('Remove 1'))
  await fred.finish(fred.taken[0]!)
  await removal
  t.deepEqual(cluster.held(1), {})
})

test('a caller that gives up in the queue takes its request with it', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const stop = new AbortController()
  const failed = t.throwsAsync(cluster.tasks.commit2(sectorOf(1), 'YzE=', stop.signal))
  await quiet()
  t.is((await cluster.scheduler.diag(false)).SchedInfo.Requests.length, 1)
  stop.abort(new Error('enough'))
  await failed
  t.is((await cluster.scheduler.diag(false)).SchedInfo.Requests.length, 0)
})

test('a piece is pushed beside its call', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect({ ...FRED, auto: true })
  const piece = await cluster.tasks.addPiece(sectorOf(1), [], 2032, {
    kind: 'file',
    file: '/a',
    dataBytes: 5,
  })
  t.is(piece.Size, 2048)
  t.deepEqual(fred.pushed, ['/a 5'])
})
