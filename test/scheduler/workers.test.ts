import test from 'ava'
import { isSealyardError } from '../../src/base/errors.ts'
import type { TaskCode } from '../../src/sectors/task-types.ts'
import { Cluster, quiet, sectorOf, until } from './cluster-at-hand.ts'
import { FOUNDING, FRED, ONE, W01, W04 } from './deployments.ts'

test('TestReenableWorker: a worker that does not answer has no windows, and two again when it does', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect(FRED)
  const windows = async () => (await cluster.scheduler.diag(false)).SchedInfo.OpenWindows
  const enabled = () => cluster.scheduler.workerStats()[fred.session]?.Enabled
  t.deepEqual(await windows(), [fred.session, fred.session])
  fred.sessionError = new Error('worker disabled')
  await cluster.clock.advance(10_000)
  t.is(enabled(), false)
  t.deepEqual(await windows(), [])
  fred.sessionError = null
  await cluster.clock.advance(10_000)
  t.is(enabled(), true)
  t.deepEqual(await windows(), [fred.session, fred.session])
})

test('tasks in the windows of a worker that goes away are given to another', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  const w01 = await cluster.connect({ ...W01, auto: false })
  const running = [1, 2].map((number) => cluster.tasks.commit2(sectorOf(number), 'YzE='))
  await until(() => w01.taken.length > 0, 'w01 has begun')
  const begun = w01.taken.length
  t.true(begun < 2, 'one C2 fills the machine')
  const w04 = await cluster.connect(W04)
  w01.sessionError = new Error('gone')
  await cluster.clock.advance(10_000)
  await until(() => w04.log.length === 1, 'w04 has taken what waited')
  await w01.finish(w01.taken[0]!)
  t.deepEqual(await Promise.all(running), ['cHJvb2Y=', 'cHJvb2Y='])
})

test('a worker that answers as another run of itself is dropped, and its successor takes over', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect(FRED)
  await cluster.connect({ ...FRED, session: 'next-run' })
  t.deepEqual(Object.keys(cluster.scheduler.workerStats()), ['next-run'])
  t.is(fred.closed, 1)
})

test('a worker that would not take a task is passed over for a while', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  const w01 = await cluster.connect(W01)
  w01.refuses.add('SealCommit2')
  const proof = cluster.tasks.commit2(sectorOf(1), 'YzE=')
  await until(
    () => cluster.lines.includes('a worker would not take a task; it goes back to the queue'),
    'refused',
  )
  await cluster.connect(W04)
  t.is(await proof, 'cHJvb2Y=')
  t.true(
    cluster.scheduler
      .decisions()
      .at(-1)
      ?.windows.some((each) => /would not take it/.test(each.reason)),
  )
})

test('a worker whose answer was lost is asked again, and nobody else for a while', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  const w01 = await cluster.connect({ ...W01, auto: false })
  w01.losesAnswer.add('AddPiece')
  const piece = cluster.tasks.addPiece(sectorOf(1), [], 2032, { kind: 'zeroes' })
  await until(() => w01.log.length === 1, 'w01 has taken AP')
  w01.losesAnswer.clear()
  const w04 = await cluster.connect(W04)
  await quiet()
  await cluster.clock.advance(10_000)
  await until(() => w01.log.length === 2, 'w01 is asked again')
  await w01.finish(w01.taken[1]!)
  await piece
  t.deepEqual(w04.log, [])
})

test('a worker whose answer was lost and that stays away is not waited for without end', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  const w01 = await cluster.connect({ ...W01, auto: false })
  w01.losesAnswer.add('SealCommit2')
  w01.sessionError = new Error('gone')
  const proof = cluster.tasks.commit2(sectorOf(1), 'YzE=')
  await until(() => w01.log.length === 1, 'w01 has taken C2')
  const w04 = await cluster.connect(W04)
  for (let tick = 0; tick < 4; tick++) await cluster.clock.advance(10_000)
  t.deepEqual(w04.log, [])
  const [window] =
    cluster.scheduler
      .decisions()
      .at(-1)
      ?.windows.filter((each) => each.hostname === 'w04') ?? []
  t.is(window?.reason, 'w01 may do it already: its answer was lost')
  for (let tick = 0; tick < 4; tick++) await cluster.clock.advance(10_000)
  await proof
  t.deepEqual(w04.log, ['C2 1'])
})

test('after three refusals the caller hears of it', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect({ ...FRED, auto: true })
  fred.refuses.add('SealCommit2')
  const failed = t.throwsAsync(cluster.tasks.commit2(sectorOf(1), 'YzE='))
  for (let tick = 0; tick < 3; tick++) {
    await quiet()
    await cluster.clock.advance(10_000)
  }
  const error = await failed
  t.true(isSealyardError(error, 'WORKER_DISABLED'))
  t.regex(error?.message ?? '', /refused 3 times, last by fred: fred does not want SealCommit2/)
})

test('worker versions 1.7 and 1.6 are taken, others are sent away', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect({ ...FRED, stranger: true })
  fred.version = (1 << 16) | (6 << 8)
  await cluster.reconnect(fred)
  fred.version = (1 << 16) | (5 << 8)
  const error = await t.throwsAsync(cluster.reconnect(fred))
  t.true(isSealyardError(error, 'WORKER_VERSION'))
  t.is(Object.keys(cluster.scheduler.workerStats()).length, 1)
})

test('C2 can run as soon as parameters have come to a connected worker, also with nothing in the queue', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const tasks: TaskCode[] = ['GET', 'PC1']
  await cluster.connect({ ...FRED, tasks })
  t.false(await cluster.tasks.canCommit2(sectorOf(1)))
  tasks.push('C2')
  await cluster.clock.advance(20_000)
  t.true(await cluster.tasks.canCommit2(sectorOf(1)))
})
