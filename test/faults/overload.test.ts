import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { SealerTokens } from '../../src/api/auth.ts'
import { startNode } from '../../src/api/node.ts'
import { Log } from '../../src/base/log.ts'
import { parseMultiaddr } from '../../src/protocol/api-info.ts'
import { dialWorker } from '../../src/protocol/connections.ts'
import { method } from '../../src/protocol/method.ts'
import { createClient } from '../../src/protocol/rpc-client.ts'
import { WORKER_API_VERSION } from '../../src/protocol/types.ts'
import { decide, EXPLAINED } from '../../src/scheduler/decide/decide.ts'
import { BUILT_IN_POLICY, type Policy } from '../../src/scheduler/decide/policy.ts'
import { RequestQueue } from '../../src/scheduler/decide/queue.ts'
import { fileTypeBits } from '../../src/sectors/file-types.ts'
import { TASK } from '../../src/sectors/task-types.ts'
import { rpcNode } from '../flows/other-sides.ts'
import { Cluster, quiet, sectorOf, until } from '../scheduler/cluster-at-hand.ts'
import { machine, path, request, snapshot, worker } from '../scheduler/decide-tables.ts'

const MIB = 2 ** 20
const TEN_THOUSAND = 10_000

test('ten thousand requests cost a round no more looks than the windows and the explained need', (t) => {
  const queue = new RequestQueue<ReturnType<typeof request>>()
  const selector = { kind: 'alloc', bits: fileTypeBits('unsealed'), pathKind: 'sealing' } as const
  // Backwards: each goes before all that came earlier.
  for (let sector = TEN_THOUSAND; sector > 0; sector--) queue.push(request({ task: 'AP', sector, selector }))
  t.is(queue.list()[0]?.sector.ID.Number, 1)
  const workers = ['a', 'b', 'c', 'd'].map((id) => worker({ id, paths: [`seal-${id}`] }))
  let looks = 0
  const counting: Policy = {
    ...BUILT_IN_POLICY,
    accept: (each, context) => {
      looks++
      return BUILT_IN_POLICY.accept(each, context)
    },
  }
  const paths = workers.map(({ id }) => path(`seal-${id}`))
  const { assignments, decisions } = decide(snapshot({ workers, paths, queue: queue.list() }), counting)
  t.true(assignments.length > 0, 'the windows are filled')
  t.is(decisions.length, assignments.length + EXPLAINED)
  t.true(looks <= (assignments.length + EXPLAINED + 1) * workers.length, `${looks} looks`)
})

const SEAL_AND_STORE = { paths: { seal: { CanStore: false }, store: { CanSeal: false } } }

/**
 * What the process has grown by; tests that ask run one after the other. Pages that the garbage collector has freed
 * and not yet given back count too, so that bounds are a few times what is really kept: they catch what grows with
 * the load for ever, not some megabytes.
 */
function rssGrowth(): () => number {
  const before = process.memoryUsage.rss()
  return () => process.memoryUsage.rss() - before
}

test.serial('ten thousand requests wait in bounded memory, and what is urgent comes first', async (t) => {
  const cluster = await Cluster.start(t, SEAL_AND_STORE)
  const before = process.memoryUsage().heapUsed
  const grown = rssGrowth()
  const ends = Promise.allSettled(
    Array.from({ length: TEN_THOUSAND }, (_, number) =>
      cluster.tasks.addPiece(sectorOf(number + 1), [], 1016, { kind: 'zeroes' }),
    ),
  )
  const fred = await cluster.connect({ name: 'fred', seal: 'seal', stores: ['store'] })
  await until(() => fred.takenOf('AddPiece').length > 0, 'the first are taken')
  const queued = (await cluster.scheduler.diag(true)).SchedInfo.Requests
  t.true(queued.length > 9_000 && queued.length < TEN_THOUSAND, `${queued.length} wait`)
  t.true(cluster.scheduler.decisions().length <= 256)
  const grownBytes = process.memoryUsage().heapUsed - before
  t.true(grownBytes < 256 * MIB, `the heap grew by ${Math.round(grownBytes / MIB)} MiB`)
  // Some 10 KiB a request with its promises and log lines is 100 MiB; four times that is a leak.
  t.true(grown() < 400 * MIB, `the process grew by ${Math.round(grown() / MIB)} MiB`)
  t.log(`ten thousand requests: ${Math.round(grown() / MIB)} MiB`)

  // C2 is later in a sector's life: it goes before the thousands that came before it.
  const urgent = cluster.tasks.commit2(sectorOf(20_000), 'YzE=')
  for (let turn = 0; turn < 20 && fred.takenOf('SealCommit2').length === 0; turn++) {
    for (const call of fred.takenOf('AddPiece')) await fred.finish(call)
    await quiet()
  }
  t.is(fred.takenOf('SealCommit2').length, 1, 'it did not wait for the others')
  await fred.finish(fred.takenOf('SealCommit2')[0]!)
  t.truthy(await urgent)
  await cluster.stop()
  t.true(
    (await ends).some((end) => end.status === 'rejected'),
    'those that wait end with the scheduler',
  )
})

test.serial('a hundred workers that connect at once are all taken in', async (t) => {
  const names = Array.from({ length: 100 }, (_, number) => `w${number}`)
  const grown = rssGrowth()
  const paths = Object.fromEntries(names.map((name) => [`seal-${name}`, { CanStore: false }]))
  const cluster = await Cluster.start(t, { paths: { ...paths, store: { CanSeal: false } } })
  await Promise.all(
    names.map((name) => cluster.connect({ name, seal: `seal-${name}`, stores: ['store'], auto: true })),
  )
  const stats = Object.values(cluster.scheduler.workerStats())
  t.deepEqual(stats.map((each) => each.Info.Hostname).toSorted(), names.toSorted())
  t.true(stats.every((each) => each.Enabled))
  await Promise.all(
    names.map((_, number) => cluster.tasks.addPiece(sectorOf(number + 1), [], 1016, { kind: 'zeroes' })),
  )
  const doing = cluster.workers.filter((each) => each.log.length > 0).length
  t.true(doing > 25, `${doing} of 100 workers were given some of a hundred tasks`)
  // A worker is its facts, its windows and a connection: far below 1 MiB; the tests' own workers are in it.
  t.true(grown() < 200 * MIB, `the process grew by ${Math.round(grown() / MIB)} MiB`)
  t.log(`a hundred workers: ${Math.round(grown() / MIB)} MiB`)
})

/** What a worker of the field answers; the test replaces one of them by nonsense. */
function workerAnswers(name: string, session: string): Map<string, () => unknown> {
  return new Map<string, () => unknown>([
    ['Filecoin.Version', () => WORKER_API_VERSION],
    ['Filecoin.ProcessSession', () => session],
    ['Filecoin.Session', () => session],
    ['Filecoin.Info', () => ({ ...machine(), Hostname: name })],
    ['Filecoin.TaskTypes', () => ({ [TASK.AP]: {} })],
    ['Filecoin.Paths', () => []],
  ])
}

const NONSENSE: readonly [string, unknown][] = [
  ['Filecoin.Session', { not: 'a session' }],
  ['Filecoin.Session', 7],
  ['Filecoin.Paths', { ID: 'no list' }],
  ['Filecoin.Paths', [{ ID: 5, CanSeal: 'yes' }]],
  ['Filecoin.TaskTypes', ['AP']],
  ['Filecoin.TaskTypes', 'AP'],
]
for (const [number, [name, nonsense]] of NONSENSE.entries()) {
  test(`a worker that answers ${name} with ${JSON.stringify(nonsense)} is disabled by name, others work on`, async (t) => {
    const cluster = await Cluster.start(t, SEAL_AND_STORE)
    const session = `0000000${number}-0000-4000-8000-000000000000`
    const answers = workerAnswers('mad-hatter', session)
    const url = `${parseMultiaddr(await rpcNode(t, answers))}/rpc/v0`
    await cluster.scheduler.connect(await dialWorker(url, ''))
    t.true(cluster.scheduler.workerStats()[session]?.Enabled)
    await cluster.connect({ name: 'fred', seal: 'seal', stores: ['store'], auto: true })

    answers.set(name, () => nonsense)
    await cluster.clock.advance(10_000)
    const added = cluster.tasks.addPiece(sectorOf(1), [], 1016, { kind: 'zeroes' })
    await untilSlowly(() => cluster.scheduler.workerStats()[session]?.Enabled === false)
    t.truthy(await added, 'the other one is given the task')
    const told = cluster.entries.find((each) => each.hostname === 'mad-hatter' && each.level === 'warn')
    t.regex(String(told?.error), new RegExp(`${name} with something else than expected`))

    answers.set(name, workerAnswers('mad-hatter', session).get(name)!)
    await cluster.clock.advance(10_000)
    await untilSlowly(() => cluster.scheduler.workerStats()[session]?.Enabled === true)
  })
}

test('a worker that answers Info with nonsense is not taken in, and the caller hears why', async (t) => {
  const cluster = await Cluster.start(t, SEAL_AND_STORE)
  const answers = workerAnswers('mad-hatter', '00000000-0000-4000-8000-000000000000')
  answers.set('Filecoin.Info', () => ({ Hostname: ['mad'], Resources: null }))
  const url = `${parseMultiaddr(await rpcNode(t, answers))}/rpc/v0`
  await t.throwsAsync(cluster.scheduler.connect(await dialWorker(url, '')), {
    code: 'BAD_ANSWER',
    message: /Filecoin\.Info with something else than expected/,
  })
  t.deepEqual(cluster.scheduler.workerStats(), {})
})

/** Until something holds that comes over a socket. */
async function untilSlowly(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('it never came to this')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const echo = {
  'Filecoin.Echo': method({ permission: 'read', params: [z.string()], result: z.string(), summary: 's' }),
}

async function echoNode(t: ExecutionContext) {
  const root = await mkdtemp(join(tmpdir(), 'sealyard-overload-'))
  const tokens = await SealerTokens.open(root)
  const lines: string[] = []
  const log = new Log({ format: 'json', level: 'info', write: (line) => void lines.push(line) })
  const node = await startNode({ listen: '127.0.0.1:0', verifier: tokens, log })
  t.teardown(async () => {
    await node.close(0)
    await rm(root, { recursive: true })
  })
  const nobody = async () => {
    throw new Error('not asked in this test')
  }
  const remote = {
    stat: nobody,
    serveFound: async () => false,
    allocated: nobody,
    remove: nobody,
    vanillaSingle: nobody,
    vanillaPorep: nobody,
  }
  node.serve({ table: echo, implementation: { Echo: async (text: string) => text }, remote })
  return { node, lines, token: await tokens.create(['read']) }
}

test.serial('a WebSocket client that never reads is cut off by name, others are served', async (t) => {
  const { node, lines, token } = await echoNode(t)
  const url = `${node.url}/rpc/v0`
  const socket = new WebSocket(url.replace('http', 'ws'), { headers: { authorization: `Bearer ${token}` } })
  const gone = new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
    socket.on('error', () => resolve())
  })
  await new Promise((resolve) => socket.once('open', resolve))
  socket.pause()
  const text = 'x'.repeat(MIB)
  const grown = rssGrowth()
  const other = createClient(echo, { url, token, timeoutMs: 0 })
  const cutOff = () => lines.find((line) => line.includes('a socket was cut off'))
  // Twice what may wait unsent, and what the kernel and the door hold of it.
  for (let id = 0; id < 256 && cutOff() === undefined; id++) {
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'Filecoin.Echo', params: [text] }))
    if (id % 16 === 0) t.is(await other.Echo('here'), 'here', 'another client is served')
  }
  await untilSlowly(() => cutOff() !== undefined)
  const { peer, unsentBytes, level } = JSON.parse(cutOff() ?? '{}') as Record<string, unknown>
  t.is(level, 'warn')
  t.regex(String(peer), /^127\.0\.0\.1/, 'the offender is named')
  t.true(Number(unsentBytes) < 64 * MIB + 2 * text.length, `${String(unsentBytes)} bytes waited unsent`)
  // 64 MiB wait in the node, the client of this process has up to 256 MiB on its way, both with copies of what is
  // parsed; without the limit the answers alone would be as much again for every message more.
  t.true(grown() < 1024 * MIB, `the process grew by ${Math.round(grown() / MIB)} MiB`)
  t.log(`a client that never reads: ${Math.round(grown() / MIB)} MiB, client and node together`)
  socket.resume()
  await gone
  t.is(await other.Echo('still'), 'still')
})

test.serial('a worker whose answer never ends is given up by name, others work on', async (t) => {
  const cluster = await Cluster.start(t, SEAL_AND_STORE)
  const session = '00000009-0000-4000-8000-000000000000'
  const answers = workerAnswers('babbler', session)
  const url = `${parseMultiaddr(await rpcNode(t, answers))}/rpc/v0`
  await cluster.scheduler.connect(await dialWorker(url, ''))
  await cluster.connect({ name: 'fred', seal: 'seal', stores: ['store'], auto: true })
  const grown = rssGrowth()
  const path = { ID: 'x'.repeat(MIB), Weight: 1, LocalPath: '/', CanSeal: true, CanStore: true }
  answers.set('Filecoin.Paths', () => Array.from({ length: 300 }, () => path))
  await cluster.clock.advance(10_000)
  const added = cluster.tasks.addPiece(sectorOf(1), [], 1016, { kind: 'zeroes' })
  await untilSlowly(() => cluster.scheduler.workerStats()[session]?.Enabled === false)
  t.truthy(await added)
  const told = cluster.entries.find((each) => each.hostname === 'babbler' && each.level === 'warn')
  t.regex(String(told?.error), /sends more than 256 MiB as an answer|did not answer/)
  // The sender's 300 MiB of text, and at most 256 MiB of it taken.
  t.true(grown() < 1536 * MIB, `the process grew by ${Math.round(grown() / MIB)} MiB`)
  t.log(`an answer without end: ${Math.round(grown() / MIB)} MiB, worker and sealer together`)
})
