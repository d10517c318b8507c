import test from 'ava'
import { fileTypeBits } from '../../src/sectors/file-types.ts'
import { Cluster, quiet, sectorOf, until } from './cluster-at-hand.ts'
import { machine } from './decide-tables.ts'
import {
  CACHE_AND_SEALED,
  FOUNDING,
  FRED,
  finishFetches,
  ONE,
  SEALER,
  sealed,
  TICKET,
  W01,
  W04,
  withoutFetches,
} from './deployments.ts'

test('eight sectors through two bound workers: each stays with one, and its holder finalizes', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  for (const options of [SEALER, W01, W04]) await cluster.connect(options)
  const numbers = [1, 2, 3, 4, 5, 6, 7, 8]
  await Promise.all(
    numbers.map(async (number) => {
      await sealed(cluster, number)
      await cluster.tasks.finalize(sectorOf(number), [])
    }),
  )
  for (const number of numbers) {
    const doing = (task: string) =>
      cluster.workers
        .filter((each) => each.log.includes(`${task} ${number}`))
        .map((each) => each.options.name)
    const [holder] = doing('PC1')
    for (const task of ['AP', 'PC1', 'PC2', 'C1', 'FUS', 'FIN', 'GET']) {
      t.deepEqual(doing(task), [holder], `${task} of sector ${number}`)
    }
    t.deepEqual(cluster.held(number), { [holder === 'w01' ? 'store' : 'f01005']: CACHE_AND_SEALED })
  }
  const gets = cluster.scheduler.decisions().filter((each) => each.task === 'seal/v0/fetch')
  t.is(gets.length, 8)
  for (const decision of gets) {
    const chosen = decision.windows.find((each) => each.window === decision.chosen)
    t.deepEqual([chosen?.networkBytes, chosen?.copiedBytes, chosen?.reason], [0, 0, 'chosen'])
  }
  const shares = numbers.filter((number) => cluster.held(number).store !== undefined).length
  t.true(shares >= 2 && shares <= 6, `w01 got ${shares} of 8`)
  t.true(
    cluster.lines.some((line) =>
      /^SCHED ASSIGNED sqi:\d+ sector 3 task seal\/v0\/precommit\/1 to window \d+$/.test(line),
    ),
  )
  t.deepEqual(
    Object.values(cluster.scheduler.workerStats()).map((each) => [each.MemUsedMin, each.CpuUse]),
    [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  )
})

test('pc1-batching and pc1-pc2-prio: a later PC2 starts before PC1s that are in no window, after those that are', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const fred = await cluster.connect(FRED)
  const starts = () => fred.log.filter((line) => !line.startsWith('Fetch'))
  for (let number = 1; number <= 9; number++) {
    await cluster.index.StorageDeclareSector('seal', sectorOf(number).ID, fileTypeBits('unsealed'), true)
    void cluster.tasks.preCommit1(sectorOf(number), TICKET, []).catch(() => undefined)
    await quiet()
    for (const fetch of fred.takenOf('Fetch')) await fred.finish(fetch)
    await quiet()
  }
  t.deepEqual(starts(), ['PC1 1', 'PC1 2'])
  const waits = (cluster.scheduler.workerJobs()[fred.session] ?? []).map((job) => job.RunWait)
  const inWindows = waits.filter((wait) => wait >= 2)
  t.deepEqual(
    waits.filter((wait) => wait < 2).sort((a, b) => a - b),
    [0, 0, 1, 1],
    'two run, two have their files',
  )
  t.true(inWindows.length > 0 && inWindows.every((wait) => wait <= 3), inWindows.join())
  const queued = () => cluster.scheduler.diag(false).then((diag) => diag.SchedInfo.Requests.length)
  const before = await queued()
  t.true(before > 0)
  const ten = sectorOf(10)
  await cluster.index.StorageDeclareSector('seal', ten.ID, CACHE_AND_SEALED, true)
  void cluster.tasks.preCommit2(ten, 'cGMx').catch(() => undefined)
  await quiet()
  t.is(await queued(), before + 1)
  while (fred.taken.length > 0) {
    const [next] = fred.taken
    await fred.finish(next!)
    await quiet()
  }
  const position = starts().indexOf('PC2 10')
  t.is(starts().length, 10)
  t.true(position >= 4, starts().join(', '))
  t.true(position < 9, starts().join(', '))
})

test('pc1-block-pc2 and the other way round: they never run together where PC2 takes all cores', async (t) => {
  for (const first of ['PC1', 'PC2'] as const) {
    const cluster = await Cluster.start(t, ONE)
    const fred = await cluster.connect(FRED)
    const ask = (task: 'PC1' | 'PC2', number: number) =>
      task === 'PC1'
        ? cluster.tasks.preCommit1(sectorOf(number), TICKET, [])
        : cluster.tasks.preCommit2(sectorOf(number), 'cGMx')
    for (const number of [1, 2]) {
      await cluster.index.StorageDeclareSector('seal', sectorOf(number).ID, 7, true)
    }
    const second = first === 'PC1' ? 'PC2' : 'PC1'
    const one = ask(first, 1)
    await quiet()
    await finishFetches(fred)
    const two = ask(second, 2)
    await quiet()
    await finishFetches(fred)
    t.deepEqual(withoutFetches(fred.log), [`${first} 1`])
    await fred.finish(fred.taken[0]!)
    await one
    await until(() => withoutFetches(fred.log).includes(`${second} 2`), 'the second task runs')
    await fred.finish(fred.taken[0]!)
    await two
  }
})

test('GET_32G_MAX_CONCURRENT=1 with separate seal and store paths does not lock up (lotus #10633)', async (t) => {
  const cluster = await Cluster.start(t, ONE)
  const info = machine({ GET_32G_MAX_CONCURRENT: '1' })
  const fred = await cluster.connect({ ...FRED, info, auto: true })
  const numbers = [1, 2, 3]
  await Promise.all(
    numbers.map(async (number) => {
      await sealed(cluster, number)
      await cluster.tasks.finalize(sectorOf(number), [])
    }),
  )
  t.is(fred.log.filter((line) => line.startsWith('GET')).length, 3)
  for (const number of numbers) t.deepEqual(cluster.held(number), { store: CACHE_AND_SEALED })
})
