import test from 'ava'
import { isSealyardError } from '../../src/base/errors.ts'
import { fileTypeBits } from '../../src/sectors/file-types.ts'
import { TASK } from '../../src/sectors/task-types.ts'
import { Cluster, quiet, sectorOf, until } from './cluster-at-hand.ts'
import { GIB, seal, store } from './decide-tables.ts'
import { type ScriptedOptions, ScriptedWorker, type Taken } from './scripted-worker.ts'

const PATHS = { paths: { seal: seal(), store } }
const FRED: ScriptedOptions = { name: 'fred', seal: 'seal', stores: ['store'], session: 'one-run' }
const ONE = sectorOf(1)
const TICKET = 'dGlja2V0'

const ask = (cluster: Cluster, ticket = TICKET) => cluster.tasks.preCommit1(ONE, ticket, [])

/** A PC1 that runs on fred. */
async function running(cluster: Cluster, fred: ScriptedWorker, ticket = TICKET) {
  const result = ask(cluster, ticket)
  result.catch(() => undefined)
  await until(() => fred.taken.length === 1, 'the fetch is taken')
  await fred.finish(fred.taken[0]!)
  await until(() => fred.takenOf('SealPreCommit1').length === 1, 'PC1 is taken')
  await quiet()
  return { result, call: fred.takenOf('SealPreCommit1')[0]! }
}

async function begun(t: Parameters<typeof Cluster.start>[0]) {
  const cluster = await Cluster.start(t, PATHS)
  const fred = await cluster.connect(FRED)
  await cluster.index.StorageDeclareSector('seal', ONE.ID, fileTypeBits('unsealed'), true)
  return { cluster, fred, ...(await running(cluster, fred)) }
}

async function restarted(cluster: Cluster, fred: ScriptedWorker): Promise<ScriptedWorker> {
  await cluster.stop()
  await cluster.start()
  const again = new ScriptedWorker(FRED, cluster.index)
  again.taken = fred.taken
  await cluster.reconnect(again)
  return again
}

const rows = async (cluster: Cluster) =>
  (await cluster.db.selectFrom('scheduled_work').select('state').execute()).map((row) => row.state)

test('TestRestartManager callThenReturn: the next run of the sealer finds the running PC1 by asking', async (t) => {
  const { cluster, fred, result, call } = await begun(t)
  const again = await restarted(cluster, fred)
  t.true(isSealyardError(await t.throwsAsync(result), 'STOPPED'))
  const [job] = cluster.scheduler.workerJobs()['one-run'] ?? []
  t.deepEqual([job?.ID, job?.RunWait], [call.id, -1])
  const asked = ask(cluster)
  await quiet()
  await again.finish(call)
  t.is(await asked, 'cGMx')
  t.deepEqual(again.log, [], 'PC1 is executed once')
  t.deepEqual(stages(cluster), [-3], 'no job is open: its result was taken')
})

test('work of an earlier run is in its worker’s account until it ends', async (t) => {
  const { cluster, fred, call } = await begun(t)
  const again = await restarted(cluster, fred)
  const used = () => cluster.scheduler.workerStats()['one-run']
  t.is(used()?.MemUsedMin, 0)
  const asked = ask(cluster)
  await until(() => used()?.MemUsedMin === 56 * GIB, 'the running PC1 counts')
  t.deepEqual(used()?.TaskCounts, { '8:seal/v0/precommit/1': 1 })
  await again.finish(call)
  await asked
  t.deepEqual([used()?.MemUsedMin, used()?.TaskCounts], [0, {}])
})

test('it counts also when the question comes before the worker', async (t) => {
  const { cluster, fred, call } = await begun(t)
  await cluster.stop()
  await cluster.start()
  const asked = ask(cluster)
  await quiet()
  const again = new ScriptedWorker(FRED, cluster.index)
  await cluster.reconnect(again)
  t.is(cluster.scheduler.workerStats()['one-run']?.MemUsedMin, 56 * GIB)
  again.taken = fred.taken
  await again.finish(call)
  await asked
  t.is(cluster.scheduler.workerStats()['one-run']?.MemUsedMin, 0)
})

test('TestRestartManager returnThenCall: a result that comes before the question is kept', async (t) => {
  const { cluster, fred, call } = await begun(t)
  const again = await restarted(cluster, fred)
  await again.finish(call)
  t.deepEqual((await cluster.scheduler.diag(false)).ReturnedWork.length, 1)
  const later = await restarted(cluster, again)
  t.is(await ask(cluster), 'cGMx')
  t.deepEqual(later.log, [], 'PC1 is executed once')
  t.deepEqual(stages(cluster), [-3], 'no job is open: its result was taken')
})

test('a result that was taken but not saved before a crash is found again', async (t) => {
  const { cluster, fred, result, call } = await begun(t)
  await fred.finish(call)
  t.is(await result, 'cGMx')
  const again = await restarted(cluster, fred)
  t.is(await ask(cluster), 'cGMx')
  t.deepEqual(again.log, [])
})

test('an AP of an earlier run is found again, and its bytes are pushed once more under the same name', async (t) => {
  const cluster = await Cluster.start(t, PATHS)
  const fred = await cluster.connect(FRED)
  const data = { kind: 'file', file: '/a', dataBytes: 5 } as const
  cluster.tasks.addPiece(ONE, [], 2032, data).catch(() => undefined)
  await until(() => fred.takenOf('AddPiece').length === 1, 'AP is taken')
  await quiet()
  const [call] = fred.takenOf('AddPiece')
  const again = await restarted(cluster, fred)
  const piece = cluster.tasks.addPiece(ONE, [], 2032, data)
  await until(() => again.pushed.length === 1, 'its bytes are on their way')
  t.deepEqual([again.pushed, again.pushIds], [fred.pushed, fred.pushIds])
  t.deepEqual(call!.params.at(-1), { Type: 'push', Info: again.pushIds[0] })
  await again.finish(call!)
  t.is((await piece).Size, 2048)
  t.deepEqual(again.log, [], 'it is not asked for a second time')
})

test('pieces of other places and other sectors are pushed under other names', async (t) => {
  const cluster = await Cluster.start(t, PATHS)
  const fred = await cluster.connect({ ...FRED, auto: true })
  const data = { kind: 'file', file: '/a', dataBytes: 5 } as const
  await cluster.tasks.addPiece(ONE, [], 1016, data)
  await cluster.tasks.addPiece(ONE, [1016], 1016, data)
  await cluster.tasks.addPiece(sectorOf(2), [], 1016, data)
  t.is(new Set(fred.pushIds).size, 3)
  for (const id of fred.pushIds) t.regex(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
})

/** A sealer that was killed when it had asked a worker for AP and not heard its answer, and runs again. */
async function unheard(t: Parameters<typeof Cluster.start>[0], worker: string) {
  const cluster = await Cluster.start(t, { paths: { ...PATHS.paths, other: seal() } })
  const row = {
    ...{ key: 'AddPiece([{"ID":{"Miner":1005,"Number":1},"ProofType":8},[],2032,"zeroes"])', miner: 1005 },
    ...{ number: 1, method: 'AddPiece', params: '', call_id: null, worker, state: 'started' as const },
    ...{ result: null, error: null, created_at: 0, updated_at: 0 },
  }
  await cluster.db.insertInto('scheduled_work').values(row).execute()
  await cluster.stop()
  await cluster.start()
  const other = await cluster.connect({ name: 'other', seal: 'other', stores: [], auto: true })
  const piece = cluster.tasks.addPiece(ONE, [], 2032, { kind: 'zeroes' })
  await cluster.clock.advance(10_000)
  t.deepEqual(other.log, [], 'the worker that was asked may do it')
  return { cluster, other, piece }
}

test('work that a worker took unheard is asked for there again, and of nobody else before', async (t) => {
  const { cluster, other, piece } = await unheard(t, 'one-run')
  const back = new ScriptedWorker({ ...FRED, auto: true }, cluster.index)
  await cluster.reconnect(back)
  await piece
  t.deepEqual([other.log, back.log], [[], ['AP 1']])
})

test('a worker that took work unheard and does not come back is not waited for without end', async (t) => {
  const { cluster, other, piece } = await unheard(t, 'gone')
  for (let tick = 0; tick < 2; tick++) await cluster.clock.advance(10_000)
  await piece
  t.deepEqual(other.log, ['AP 1'])
})

test('work that was asked for unheard is forgotten when its sector is past it', async (t) => {
  const { cluster, piece } = await unheard(t, 'gone')
  piece.catch(() => undefined)
  await cluster.tasks.settle(ONE.ID, TASK.PC2)
  t.deepEqual(await rows(cluster), [])
})

test('TestRedoPC1: asked again after its result was taken, PC1 runs again', async (t) => {
  const { cluster, fred, result, call } = await begun(t)
  await fred.finish(call)
  await result
  const second = await running(cluster, fred)
  await fred.finish(second.call)
  t.is(await second.result, 'cGMx')
  t.is(fred.log.filter((line) => line === 'PC1 1').length, 2)
})

test('a result handed in twice counts once', async (t) => {
  const { cluster, fred, result, call } = await begun(t)
  await Promise.all([fred.handIn(call), fred.handIn(call, { Code: 0, Message: 'and now it failed' })])
  t.is(await result, 'cGMx')
  await fred.handIn(call)
  t.deepEqual(await rows(cluster), ['done'])
})

test('other work of the sector, and its removal, clear what was kept', async (t) => {
  const { cluster, fred, result, call } = await begun(t)
  await fred.finish(call)
  await result
  const other = await running(cluster, fred, 'b3RoZXI=')
  t.deepEqual(await rows(cluster), ['running'])
  await fred.finish(other.call)
  await other.result
  await cluster.tasks.remove(ONE.ID)
  t.deepEqual(await rows(cluster), [])
})

test('finalizing clears what an earlier run of the sealer took, but no proof that nobody took', async (t) => {
  const { cluster, fred, result, call } = await begun(t)
  await fred.finish(call)
  await result
  const proof = cluster.tasks.commit2(ONE, 'YzE=')
  proof.catch(() => undefined)
  await until(() => fred.takenOf('SealCommit2').length === 1, 'C2 is taken')
  t.deepEqual(await rows(cluster), ['running'])
  const again = await restarted(cluster, fred)
  await again.finish(again.taken[0]!)
  await cluster.db
    .insertInto('scheduled_work')
    .values({
      key: 'C1 of an earlier run',
      miner: ONE.ID.Miner,
      number: ONE.ID.Number,
      method: 'SealCommit1',
      params: '[]',
      call_id: 'c1',
      worker: 'one-run',
      state: 'done',
      result: '"a lot"',
      error: null,
      created_at: 0,
      updated_at: 0,
    })
    .execute()
  await cluster.stop()
  await cluster.start()
  const auto = new ScriptedWorker({ ...FRED, auto: true }, cluster.index)
  await cluster.reconnect(auto)
  const finalized = cluster.tasks.finalize(ONE, [])
  await quiet()
  await cluster.clock.advance(3000)
  await finalized
  t.deepEqual(await rows(cluster), ['done'])
  t.is(await cluster.tasks.commit2(ONE, 'YzE='), 'cHJvb2Y=')
  t.false(auto.log.includes('C2 1'))
})

const stages = (cluster: Cluster) =>
  Object.values(cluster.scheduler.workerJobs()).flatMap((jobs) => jobs.map((job) => job.RunWait))

test('a result that an earlier run of the sealer saved is listed no more once its sector is past it', async (t) => {
  const { cluster, fred, result, call } = await begun(t)
  await fred.finish(call)
  await result
  await cluster.tasks.settle(ONE.ID, TASK.PC2)
  t.deepEqual(stages(cluster), [-3], 'taken in this run')
  await restarted(cluster, fred)
  await cluster.tasks.settle(sectorOf(2).ID, null)
  await cluster.tasks.settle(ONE.ID, TASK.PC1)
  t.deepEqual(stages(cluster), [-2], 'still wanted')
  await cluster.tasks.settle(ONE.ID, TASK.PC2)
  t.deepEqual([stages(cluster), await rows(cluster)], [[], []])
})

test('work that nobody will ask for is listed while it runs, and its result is not kept', async (t) => {
  const { cluster, fred, call } = await begun(t)
  const again = await restarted(cluster, fred)
  await cluster.tasks.settle(ONE.ID, null)
  t.deepEqual(stages(cluster), [-1])
  await again.finish(call)
  t.deepEqual([stages(cluster), await rows(cluster)], [[], []])
})

test('a result may be faster than the answer that names its call', async (t) => {
  const cluster = await Cluster.start(t, PATHS)
  const fred = new ScriptedWorker(FRED, cluster.index)
  const { api } = fred.connection
  const handed: Promise<void>[] = []
  const eager = {
    ...api,
    SealCommit2: async (...params: Parameters<typeof api.SealCommit2>) => {
      const id = await api.SealCommit2(...params)
      handed.push(fred.finish(fred.taken[0] as Taken))
      await quiet()
      return id
    },
  }
  fred.returns = cluster.scheduler.returns
  await cluster.scheduler.connect({ ...fred.connection, api: eager })
  t.is(await cluster.tasks.commit2(ONE, 'YzE='), 'cHJvb2Y=')
  await Promise.all(handed)
  t.deepEqual(await rows(cluster), ['done'])
})

test('an unknown call’s result is taken off the worker’s hands', async (t) => {
  const cluster = await Cluster.start(t, PATHS)
  await t.notThrowsAsync(cluster.scheduler.returns.ReturnFetch({ Sector: ONE.ID, ID: 'nobody' }, null))
})

test('after a restart nothing is given away for 3 s, so that the holders come back first', async (t) => {
  const cluster = await Cluster.start(t, PATHS)
  const fred = await cluster.connect({ ...FRED, auto: true })
  const again = await restarted(cluster, fred)
  const proof = cluster.tasks.commit2(ONE, 'YzE=')
  await quiet()
  t.deepEqual(again.log, [])
  await cluster.clock.advance(3000)
  await until(() => again.taken.length === 1, 'C2 is taken')
  await again.finish(again.taken[0]!)
  t.is(await proof, 'cHJvb2Y=')
})
