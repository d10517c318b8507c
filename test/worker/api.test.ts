import test, { type ExecutionContext } from 'ava'
import { type Kysely, sql } from 'kysely'
import { FakeClock } from '../../src/base/clock.ts'
import { ProofError } from '../../src/proofs/errors.ts'
import { RpcError } from '../../src/protocol/errors.ts'
import { resultOf } from '../../src/protocol/rpc-client.ts'
import { createDispatcher } from '../../src/protocol/rpc-server.ts'
import { typedClient } from '../../src/protocol/typed-client.ts'
import { workerMethods } from '../../src/protocol/worker-methods.ts'
import { TASK, type TaskCode } from '../../src/sectors/task-types.ts'
import type { WorkerTables } from '../../src/state/tables.ts'
import type { NodeStorage } from '../../src/storage/node-storage.ts'
import { Worker } from '../../src/worker/worker.ts'
import type { FileWritingExecutor } from './file-writing-executor.ts'
import type { OnePathStorage } from './one-path-storage.ts'
import { PIECES, SECTOR, TICKET } from './sector-at-hand.ts'
import { fillUp, layUnsealed, ResultTaker, silentLog, stateAtHand, tasksAtHand } from './worker-at-hand.ts'

const NODE = {
  kind: 'sealer' as const,
  name: 'seal-07',
  version: '0.1.0',
  session: 'of the node',
  machine: 'm1',
  url: 'http://10.0.0.7:3456',
  executor: 'prover',
}
const NEEDS = { 'seal/v0/precommit/1': {} }

interface WorkerAtHand {
  readonly worker: Worker
  readonly api: Worker['api']
  readonly storage: OnePathStorage
  readonly executor: FileWritingExecutor
  readonly sealer: ResultTaker
  readonly clock: FakeClock
  readonly shutdowns: number[]
  readonly db: Kysely<WorkerTables>
}

async function workerAtHand(
  t: ExecutionContext,
  tasks: TaskCode[] = ['GET', 'C1', 'FIN', 'FUS', 'PC1', 'C2'],
  more: Partial<NodeStorage> = {},
): Promise<WorkerAtHand> {
  const { storage, executor, tools } = await tasksAtHand(t)
  const sealer = new ResultTaker()
  const clock = new FakeClock()
  const shutdowns: number[] = []
  const db = await stateAtHand(t)
  const worker = await Worker.open({
    storage: storage.asNodeStorage(more),
    executor: executor.asExecutor(),
    readers: tools.readers,
    scratch: storage.directory,
    db,
    returns: sealer.api,
    info: { hostname: 'wk1', ignoreResources: false, noSwap: true, resources: NEEDS },
    tasks,
    node: NODE,
    proofType: SECTOR.ProofType,
    onShutdown: () => shutdowns.push(1),
    log: silentLog(),
    clock,
  })
  t.teardown(() => worker.close(0))
  return { worker, api: worker.api, storage, executor, sealer, clock, shutdowns, db }
}

test('it tells who it is: a worker with its own session, whatever node it lives in', async (t) => {
  const { worker, api } = await workerAtHand(t)
  t.is(await api.Version(), 67328)
  t.is(await api.Session(), worker.session)
  t.is(await api.ProcessSession(), worker.session)
  t.deepEqual(await api.NodeInfo(), { ...NODE, kind: 'worker', session: worker.session })
  const info = await api.Info()
  t.is(info.Hostname, 'wk1')
  t.deepEqual(info.Resources.Resources, NEEDS)
  t.true(info.Resources.MemPhysical > 0 && info.Resources.CPUs > 0)
  t.is(info.Resources.MemSwap, 0)
  const document = (await api.Discover()) as { methods: { name: string }[] }
  t.true(document.methods.some((each) => each.name === 'Filecoin.SealPreCommit1'))
})

test('switched off it says so as lotus does, and keeps its session', async (t) => {
  const { worker, api } = await workerAtHand(t)
  await api.SetEnabled(false)
  t.false(await api.Enabled())
  await t.throwsAsync(api.Session(), { message: 'worker disabled', code: 'WORKER_DISABLED' })
  t.is(await api.ProcessSession(), worker.session)
  await api.SetEnabled(true)
  t.is(await api.Session(), worker.session)
})

test('task types are switched by their wire names; others than the switchable ones are refused', async (t) => {
  const { api } = await workerAtHand(t)
  const offered = async () => Object.keys(await api.TaskTypes()).sort()
  t.deepEqual(await offered(), [TASK.GET, TASK.C1, TASK.FIN, TASK.FUS, TASK.PC1, TASK.C2].sort())
  await api.TaskDisable(TASK.PC1)
  t.false((await offered()).includes(TASK.PC1))
  await api.TaskEnable(TASK.PC1)
  await api.TaskEnable(TASK.UNS)
  t.true((await offered()).includes(TASK.PC1))
  t.true((await offered()).includes(TASK.UNS))
  await t.throwsAsync(api.TaskDisable(TASK.FIN), { code: 'UNKNOWN_TASK' })
  await t.throwsAsync(api.TaskEnable('nonsense'), { code: 'UNKNOWN_TASK' })
})

test('C2 is offered only while this host has parameters, looked up again from time to time', async (t) => {
  const { api, executor, clock } = await workerAtHand(t)
  executor.commit2Possible = false
  t.false(TASK.C2 in (await api.TaskTypes()))
  executor.commit2Possible = true
  t.false(TASK.C2 in (await api.TaskTypes()), 'not with every question')
  await clock.advance(30_000)
  t.true(TASK.C2 in (await api.TaskTypes()))
  await api.TaskDisable(TASK.C2)
  t.false(TASK.C2 in (await api.TaskTypes()))
})

test('a host that cannot look for parameters offers everything but C2', async (t) => {
  const { api, executor } = await workerAtHand(t)
  Object.assign(executor, { canCommit2: () => Promise.reject(new Error('no such directory')) })
  const types = await api.TaskTypes()
  t.false(TASK.C2 in types)
  t.true(TASK.PC1 in types)
})

test('Remove tries all three types; what is not here is fine, what stays is an error', async (t) => {
  const { api, storage } = await workerAtHand(t)
  await layUnsealed(storage)
  await api.Remove(SECTOR.ID)
  t.deepEqual(storage.events.splice(0), ['remove sealed', 'remove cache', 'remove unsealed'])
  t.is(await storage.find('unsealed'), null)
  storage.stuck.set('sealed', new Error('EIO'))
  const error = await t.throwsAsync(api.Remove(SECTOR.ID), { code: 'REMOVE_INCOMPLETE' })
  t.regex(error?.message ?? '', /could not be removed: sealed$/)
  t.deepEqual(storage.events, ['remove sealed', 'remove cache', 'remove unsealed'])
})

test('what concerns paths goes to storage', async (t) => {
  const asked: unknown[][] = []
  const note =
    (name: string) =>
    async (...args: unknown[]) =>
      void asked.push([name, ...args])
  const { api } = await workerAtHand(t, [], {
    workerPaths: () => [{ ID: 'a', Weight: 10, LocalPath: '/seal', CanSeal: true, CanStore: false }],
    localPaths: () => ({ a: '/seal' }),
    attach: note('attach'),
    detach: note('detach'),
    detachAll: note('detachAll'),
    redeclare: note('redeclare'),
    transfers: () => [],
    tiers: async () => [{ from: 'a', to: 'b', tier: 'clone' }],
    copyEngines: async () => ({ chosen: 'auto', paths: [{ id: 'a', engines: ['buffered'] }] }),
  })
  t.deepEqual(await api.Paths(), [
    { ID: 'a', Weight: 10, LocalPath: '/seal', CanSeal: true, CanStore: false },
  ])
  t.deepEqual(await api.StorageLocal(), { a: '/seal' })
  await api.StorageAddLocal('/new')
  await api.StorageDetachLocal('/new')
  await api.StorageDetachAll()
  await api.StorageRedeclareLocal(null, true)
  t.deepEqual(asked, [['attach', '/new'], ['detach', '/new'], ['detachAll'], ['redeclare', null, true]])
  t.deepEqual(await api.Transfers(), [])
  t.deepEqual(await api.StorageTiers(), [{ from: 'a', to: 'b', tier: 'clone' }])
})

test('log levels and the stop go where they belong', async (t) => {
  const { api, shutdowns } = await workerAtHand(t)
  t.true((await api.LogList()).includes('worker'))
  await api.LogSetLevel('worker', 'debug')
  await t.throwsAsync(api.LogSetLevel('worker', 'loud'), { code: 'BAD_LOG_LEVEL' })
  await api.Shutdown()
  t.is(shutdowns.length, 1)
})

test('a task that ends with a critical failure switches the worker off', async (t) => {
  const { api, executor, storage, sealer, clock } = await workerAtHand(t)
  await layUnsealed(storage)
  Object.assign(executor, {
    preCommit1: () =>
      Promise.reject(new ProofError({ code: 'NO_PROVER', level: 'critical', message: 'the prover is gone' })),
  })
  await api.SealPreCommit1(SECTOR, TICKET, PIECES)
  await api.WaitQuiet()
  await clock.advance(0)
  t.is(sealer.taken[0]?.error?.Code, 100)
  t.false(await api.Enabled())
})

test('a worker whose state file is full takes work again by itself when there is space', async (t) => {
  const { worker, api, executor, storage, sealer, clock, db } = await workerAtHand(t)
  await layUnsealed(storage)
  let pages = 0
  const preCommit1 = executor.preCommit1.bind(executor)
  executor.preCommit1 = async (...params) => {
    await preCommit1(...params)
    pages = await fillUp(db)
    return Buffer.alloc(200_000)
  }
  await api.SealPreCommit1(SECTOR, TICKET, PIECES)
  await api.WaitQuiet()
  await clock.advance(0)
  t.false(await api.Enabled())
  await t.throwsAsync(api.Session(), { message: 'worker disabled', code: 'WORKER_DISABLED' })
  t.deepEqual(sealer.taken, [])

  await sql.raw(`pragma max_page_count = ${pages + 1000}`).execute(db)
  await clock.advance(10_000)
  t.is(sealer.taken.length, 1)
  t.is(await api.Session(), worker.session)
  await api.SetEnabled(false)
  t.false(await api.Enabled(), 'the operator has the last word')
})

test('tasks on one cache take turns, tasks of other sectors do not wait', async (t) => {
  const { api, storage, executor, sealer, clock } = await workerAtHand(t)
  await layUnsealed(storage)
  const started: number[] = []
  let bothStarted: () => void = () => undefined
  let goOn: () => void = () => undefined
  const two = new Promise<void>((resolve) => {
    bothStarted = resolve
  })
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  Object.assign(executor, {
    preCommit1: async ({ sector }: { sector: typeof SECTOR }) => {
      started.push(sector.ID.Number)
      if (started.length === 2) bothStarted()
      await gate
      return Buffer.from('"out"')
    },
  })
  await api.SealPreCommit1(SECTOR, TICKET, PIECES)
  await api.SealPreCommit1(SECTOR, TICKET, [])
  await api.SealPreCommit1({ ...SECTOR, ID: { Miner: 1000, Number: 8 } }, TICKET, PIECES)
  await two
  t.deepEqual(new Set(started), new Set([7, 8]))
  goOn()
  await api.WaitQuiet()
  await clock.advance(0)
  t.deepEqual(started.slice(2), [7])
  t.is(sealer.taken.length, 3)
})

test('each task method answers a CallID and hands its result in by its own Return method', async (t) => {
  const { api, storage, sealer, clock } = await workerAtHand(t, undefined, {
    fetch: async () => undefined,
    moveToStore: async () => undefined,
  })
  await layUnsealed(storage)
  const steps = [
    ['ReturnFetch', () => api.Fetch(SECTOR, 1, 'sealing', 'move')],
    ['ReturnAddPiece', () => api.AddPiece(SECTOR, [], 2032, { Type: 'null', Info: '2032' })],
    ['ReturnSealPreCommit1', () => api.SealPreCommit1(SECTOR, TICKET, PIECES)],
    ['ReturnSealPreCommit2', () => api.SealPreCommit2(SECTOR, 'e30=')],
    ['ReturnSealCommit2', () => api.SealCommit2(SECTOR, 'e30=')],
    ['ReturnFinalizeSector', () => api.FinalizeSector(SECTOR)],
    ['ReturnReleaseUnsealed', () => api.ReleaseUnsealed(SECTOR, [])],
    ['ReturnMoveStorage', () => api.MoveStorage(SECTOR, 6)],
    [
      'ReturnUnsealPiece',
      () => api.UnsealPiece(SECTOR, 0, 2032, TICKET, { '/': PIECES[0]?.PieceCID['/'] ?? '' }),
    ],
  ] as const
  for (const [method, call] of steps) {
    const id = await call()
    t.deepEqual(id.Sector, SECTOR.ID)
    await api.WaitQuiet()
    await clock.advance(0)
    const last = sealer.taken.at(-1)
    t.deepEqual([last?.method, last?.id, last?.error], [method, id, null])
  }
})

/** The worker as its sealer reaches it: through JSON, and through the checks of both sides. */
function overTheWire(api: Worker['api']): Worker['api'] {
  const dispatcher = createDispatcher(workerMethods, api)
  return typedClient(workerMethods, {
    url: 'http://wk1',
    async call(method, params) {
      const request = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
      const { body } = await dispatcher.handle(Buffer.from(request), {
        permissions: ['read', 'write', 'admin'],
      })
      return resultOf(JSON.parse(body ?? ''), method, 'http://wk1')
    },
  })
}

test('what it answers passes the checks of the wire, and its errors keep their code', async (t) => {
  const { worker, api: own } = await workerAtHand(t, undefined, {
    workerPaths: () => [],
    localPaths: () => ({}),
    transfers: () => [],
    tiers: async () => [],
    copyEngines: async () => ({ chosen: 'auto', paths: [] }),
    fetch: async () => undefined,
  })
  const api = overTheWire(own)
  t.is(await api.Version(), 67328)
  t.is(await api.Session(), worker.session)
  t.deepEqual(await api.TaskTypes(), await own.TaskTypes())
  t.is((await api.Info()).Hostname, 'wk1')
  t.is((await api.NodeInfo()).kind, 'worker')
  t.deepEqual([await api.Paths(), await api.StorageLocal(), await api.Transfers()], [[], {}, []])
  t.true(await api.Enabled())
  await api.SetEnabled(false)
  const error = await t.throwsAsync(api.Session(), { instanceOf: RpcError, message: 'worker disabled' })
  t.is(error?.code, 'WORKER_DISABLED')
  t.deepEqual((await api.Fetch(SECTOR, 6, 'sealing', 'move')).Sector, SECTOR.ID)
  await api.WaitQuiet()
})
