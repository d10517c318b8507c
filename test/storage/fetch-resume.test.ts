import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, utimes } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import test from 'ava'
import {
  ClusterAtHand,
  content,
  failingIndex,
  hookedIndex,
  type PathAtHand,
  sector,
  until,
} from './cluster-at-hand.ts'
import { listen, startLotus, unfinished } from './strangers-at-hand.ts'

const SEALED = 2

/** Answers for a file, as a node that names what it sends. */
function answering(bytes: Buffer, changes: { cutAt?: number; etag?: string } = {}): RequestListener {
  const { cutAt, etag = '"1-2"' } = changes
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const isPart = request.headers.range !== undefined && request.headers['if-range'] === etag
    const body = isPart ? bytes.subarray(start) : bytes
    const range = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
    const head = { 'content-type': 'application/octet-stream', etag, 'content-length': body.length }
    response.writeHead(isPart ? 206 : 200, isPart ? { ...head, ...range } : head)
    if (cutAt === undefined) response.end(body)
    else response.write(body.subarray(0, cutAt), () => response.destroy())
  }
}

/** A proof whose sealed file is more than the 1 MiB that is kept at once. */
const LARGE = { ID: { Miner: 1000, Number: 1 }, ProofType: 6 }
const LARGE_BYTES = 8 << 20

test('a cut download goes on from where it was, in this run of the node and in the next', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  const bytes = content(1, LARGE_BYTES)
  const ranges: (string | undefined)[] = []
  let answer = answering(bytes, { cutAt: 2_500_000 })
  await startLotus(t, cluster, 'lotus', SEALED, (request, response) => {
    ranges.push(request.headers.range)
    answer(request, response)
    // From the third request on it gives no more: the node stops before it has all.
    if (ranges.length === 2) answer = answering(bytes, { cutAt: 0 })
  })
  const first = await cluster.startNode('two', [here])
  await t.throwsAsync(first.fetch(LARGE, SEALED, 'sealing', 'copy'), { code: 'FETCH_FAILED' })
  t.deepEqual(ranges.slice(0, 2), [undefined, `bytes=${(2 << 20) - (256 << 10)}-`])
  t.is((await unfinished(here, 'sealed')).length, 2, 'data and record')
  await first.close(0)

  answer = answering(bytes)
  ranges.length = 0
  const second = await cluster.startNode('two', [here])
  t.is((await unfinished(here, 'sealed')).length, 2, 'a restart keeps them')
  await second.fetch(LARGE, SEALED, 'sealing', 'copy')
  t.is(ranges.length, 1)
  t.regex(ranges[0] ?? '', /^bytes=[1-9]\d*-$/)
  t.true((await readFile(here.fileOf('sealed', LARGE))).equals(bytes))
  t.deepEqual(await unfinished(here, 'sealed'), [])
})

test('a file that changed at the source since the cut is fetched anew, never mixed', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  const after = content(2, LARGE_BYTES)
  let answer = answering(content(1, LARGE_BYTES), { cutAt: 5_000_000 })
  await startLotus(t, cluster, 'lotus', SEALED, (request, response) => {
    answer(request, response)
    answer = answering(after, { etag: '"3-4"' })
  })
  const storage = await cluster.startNode('two', [here])
  await storage.fetch(LARGE, SEALED, 'sealing', 'copy')
  t.true((await readFile(here.fileOf('sealed', LARGE))).equals(after))
})

test('a download that nobody goes on with is forgotten after a day', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  let cutAt = 3_000_000
  await startLotus(t, cluster, 'lotus', SEALED, (request, response) => {
    answering(content(1, LARGE_BYTES), { cutAt })(request, response)
    cutAt = 0
  })
  const storage = await cluster.startNode('two', [here])
  await t.throwsAsync(storage.fetch(LARGE, SEALED, 'sealing', 'copy'), { code: 'FETCH_FAILED' })
  await storage.close(0)
  const files = await unfinished(here, 'sealed')
  t.is(files.length, 2)
  const long = new Date(cluster.clock.now() - 25 * 3600_000)
  for (const name of files) await utimes(join(here.directory, 'sealed', 'fetching', name), long, long)
  await cluster.startNode('two', [here])
  t.deepEqual(await unfinished(here, 'sealed'), [])
})

test('the source is asked to remove its file only after the new one is declared, and has its name', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  const steps: string[] = []
  const bytes = content(1)
  await startLotus(t, cluster, 'lotus', SEALED, (request, response) => {
    steps.push(request.method ?? '')
    if (request.method === 'DELETE') response.writeHead(200).end()
    else answering(bytes)(request, response)
  })
  const index = hookedIndex(cluster.index, async (method) => {
    if (method !== 'StorageDeclareSector') return
    steps.push(`declare, named: ${existsSync(here.fileOf('sealed', sector(1)))}`)
  })
  const storage = await cluster.startNode('two', [here], { index })
  await storage.fetch(sector(1), SEALED, 'sealing', 'move')
  t.deepEqual(steps, ['GET', 'declare, named: true', 'DELETE'])
})

test('a step that fails leaves the source as it is', async (t) => {
  const cases = {
    'the name is taken': async (here: PathAtHand) => {
      // Comes to be while the download runs: nothing of ours, and nothing that is overwritten.
      await mkdir(here.fileOf('sealed', sector(1)), { recursive: true })
    },
    'the path is not the one it was': async (here: PathAtHand) => {
      await rename(here.directory, `${here.directory}-away`)
      await mkdir(join(here.directory, 'sealed'), { recursive: true })
    },
  }
  for (const [name, disturb] of Object.entries(cases)) {
    const cluster = await ClusterAtHand.make(t)
    const here = await cluster.makePath('here', 'seal')
    const methods: string[] = []
    await startLotus(t, cluster, 'lotus', SEALED, (request, response) => {
      methods.push(request.method ?? '')
      void disturb(here).then(() => answering(content(1))(request, response))
    })
    const storage = await cluster.startNode('two', [here])
    await t.throwsAsync(storage.fetch(sector(1), SEALED, 'sealing', 'move'), undefined, name)
    t.false(methods.includes('DELETE'), name)
    t.deepEqual(await cluster.holders(sector(1), SEALED), ['lotus'], name)
  }
})

test('an index that cannot be told keeps the source from being removed', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  const methods: string[] = []
  await startLotus(t, cluster, 'lotus', SEALED, (request, response) => {
    methods.push(request.method ?? '')
    if (request.method === 'DELETE') response.writeHead(200).end()
    else answering(content(1))(request, response)
  })
  const failing: Parameters<typeof failingIndex>[1] = { method: null }
  const storage = await cluster.startNode('two', [here], { index: failingIndex(cluster.index, failing) })
  failing.method = 'StorageDeclareSector'
  const fetching = storage.fetch(sector(1), SEALED, 'sealing', 'move')
  t.true(await until(cluster.clock, async () => existsSync(here.fileOf('sealed', sector(1)))))
  t.deepEqual(methods, ['GET'])
  failing.method = null
  let isDone = false
  void fetching.then(() => {
    isDone = true
  })
  t.true(await until(cluster.clock, async () => isDone))
  t.deepEqual(methods, ['GET', 'DELETE'])
})

test('a slow holder is left for one that gave more before', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  const bytes = content(1, LARGE_BYTES)
  await startLotus(t, cluster, 'slow', SEALED, (_request, response) => {
    const head = { 'content-type': 'application/octet-stream', 'content-length': bytes.length }
    response.writeHead(200, head).write(bytes.subarray(0, 1000))
  })
  const other = await listen(t, answering(bytes))
  const info = (await cluster.index.StorageInfo('slow')) as Parameters<typeof cluster.index.StorageAttach>[0]
  const stat = { Capacity: 0, Available: 0, FSAvailable: 0, Reserved: 0, Max: 0, Used: 0 }
  // Another address of this machine, so that it is another node by its name.
  const url = `http://localhost:${other.port}/remote`
  await cluster.index.StorageAttach({ ...info, ID: 'quick', URLs: [url], Weight: 20 }, stat)
  await cluster.index.StorageDeclareSector('quick', sector(2).ID, SEALED, false)
  const storage = await cluster.startNode('two', [here])
  // What is known of it: it gave another sector's file at once.
  await storage.fetch({ ...LARGE, ID: sector(2).ID }, SEALED, 'sealing', 'copy')
  await cluster.index.StorageDeclareSector('quick', LARGE.ID, SEALED, false)
  let isDone = false
  void storage.fetch(LARGE, SEALED, 'sealing', 'copy').then(() => {
    isDone = true
  })
  t.true(await until(cluster.clock, async () => isDone))
  t.true((await readFile(here.fileOf('sealed', LARGE))).equals(bytes))
  const failed = storage.transfers().filter(({ state }) => state === 'failed')
  t.deepEqual(
    failed.map(({ from, error }) => [from, /slow/.test(error ?? '')]),
    [['slow', true]],
  )
})
