import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { FrontDoor } from '../../src/native/front-door.ts'
import type { SectorFileType } from '../../src/sectors/file-types.ts'
import { parseSectorName } from '../../src/sectors/sector-id.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  ClusterAtHand,
  content,
  type PathAtHand,
  sector,
  writeCache,
  writeSealed,
} from './cluster-at-hand.ts'
import { listen, startLotus, unfinished } from './strangers-at-hand.ts'

const SEALED = 2
const CACHE = 4

interface ServingNode {
  readonly storage: Storage
  /** Paths of the DELETE requests that came. */
  readonly removals: string[]
}

/** A node behind a real front door; removals go to its storage as the api would hand them on. */
async function startServing(
  t: ExecutionContext,
  cluster: ClusterAtHand,
  name: string,
  paths: readonly PathAtHand[],
): Promise<ServingNode> {
  const removals: string[] = []
  let storage: Storage | null = null
  const upstream = await listen(t, (request, response) => {
    const url = new URL(request.url ?? '', 'http://node')
    const [, , type, file = ''] = url.pathname.split('/')
    const id = parseSectorName(file)
    removals.push(`${request.method} ${request.url}`)
    if (storage === null || id === null || request.method !== 'DELETE') {
      response.writeHead(404).end()
      return
    }
    const keep = (url.searchParams.get('keep') ?? '').split('.')
    storage.remove(id, type as SectorFileType, keep, { quarantineLastStoreCopy: true }).then(
      () => response.writeHead(200).end(),
      () => response.writeHead(500).end(),
    )
  })
  const door = new FrontDoor({
    host: '127.0.0.1',
    port: 0,
    upstreamPort: upstream.port,
    authorize: async (token) => ({ verdict: token === 'token' ? 'allowed' : 'denied', ttlMs: 60_000 }),
  })
  const { port } = door.start()
  t.teardown(() => door.close(0))
  const publications = {
    publish: (...file: Parameters<FrontDoor['publish']>) => door.publish(...file),
    unpublish: (...file: Parameters<FrontDoor['unpublish']>) => void door.unpublish(...file),
  }
  storage = await cluster.startNode(name, paths, { publications, url: `http://127.0.0.1:${port}/remote` })
  return { storage, removals }
}

test('a move brings file and cache whole from another node, and only then removes them there', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'seal')
  const here = await cluster.makePath('here', 'seal')
  const bytes = await writeSealed(there, sector(1))
  const names = await writeCache(there, sector(1), 'pc2')
  const source = await startServing(t, cluster, 'one', [there])
  const storage = await cluster.startNode('two', [here])

  await storage.fetch(sector(1), SEALED | CACHE, 'sealing', 'move')

  t.deepEqual(await readFile(here.fileOf('sealed', sector(1))), bytes)
  t.deepEqual((await readdir(here.fileOf('cache', sector(1)))).sort(), names)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [here.id])
  t.deepEqual(await cluster.holders(sector(1), CACHE), [here.id])
  t.deepEqual(source.removals, [
    `DELETE /remote/sealed/s-t01000-1?keep=${here.id}`,
    `DELETE /remote/cache/s-t01000-1?keep=${here.id}`,
  ])
  t.is((await storage.records.get(sector(1).ID, here.id))?.phase, 'pc2')
  t.deepEqual(
    storage.transfers().map(({ method, state }) => [method, state]),
    [
      ['network', 'done'],
      ['network', 'done'],
    ],
  )
  t.deepEqual(await unfinished(here, 'sealed'), [])
  t.deepEqual(await cluster.account.SpaceReservations(), [])
})

test('what is fetched twice at once is fetched once', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'store')
  const here = await cluster.makePath('here', 'seal')
  await writeSealed(there, sector(1))
  await startServing(t, cluster, 'one', [there])
  const storage = await cluster.startNode('two', [here])
  const fetch = () => storage.fetch(sector(1), SEALED, 'sealing', 'copy')
  await Promise.all([fetch(), fetch(), fetch()])
  t.is(storage.transfers().length, 1)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [here.id, `${there.id}*`].sort())
})

test('a store is never emptied for the sake of a seal path', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'store')
  const here = await cluster.makePath('here', 'seal')
  await writeSealed(there, sector(1))
  const source = await startServing(t, cluster, 'one', [there])
  const storage = await cluster.startNode('two', [here])
  await storage.fetch(sector(1), SEALED, 'sealing', 'move')
  t.deepEqual(source.removals, [])
  t.deepEqual(await cluster.holders(sector(1), SEALED), [here.id, `${there.id}*`].sort())
})

test('an acquisition brings what this node lacks', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'store')
  const here = await cluster.makePath('here', 'seal')
  const bytes = await writeSealed(there, sector(1))
  await startServing(t, cluster, 'one', [there])
  const storage = await cluster.startNode('two', [here])
  const request = { task: 'UNS', sector: sector(1), existing: SEALED, allocate: 1, kind: 'sealing' } as const
  const acquired = await storage.acquire(request)
  t.deepEqual(await readFile(acquired.file('sealed').file), bytes)
  await acquired.release()
})

test('a file is moved straight to the store of the node that was asked', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'seal')
  const store = await cluster.makePath('store', 'store')
  await writeSealed(there, sector(1))
  await startServing(t, cluster, 'one', [there])
  const storage = await cluster.startNode('two', [store])
  await storage.moveToStore(sector(1), SEALED)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${store.id}*`])
})

test('a move to the store ends with the copies that other nodes have in seal paths', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'seal')
  const here = await cluster.makePath('here', 'seal')
  const store = await cluster.makePath('store', 'store')
  await writeSealed(there, sector(1))
  await writeSealed(here, sector(1))
  await startServing(t, cluster, 'one', [there])
  const storage = await cluster.startNode('two', [here, store])
  await storage.moveToStore(sector(1), SEALED)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${store.id}*`])
  t.false(existsSync(there.fileOf('sealed', sector(1))))
})

test('a shared path is never copied to itself over the network', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const share = await cluster.makePath('share', 'store')
  await writeSealed(share, sector(1))
  const one = await startServing(t, cluster, 'one', [share])
  const two = await cluster.startNode('two', [share])
  await two.fetch(sector(1), SEALED, 'storage', 'move')
  await two.moveToStore(sector(1), SEALED)
  t.deepEqual(two.transfers(), [])
  t.deepEqual(one.removals, [])
  // The index may still believe in a file that is gone: the other URL of the same path has no other file.
  await cluster.index.StorageDeclareSector(share.id, sector(2).ID, SEALED, true)
  await t.throwsAsync(two.fetch(sector(2), SEALED, 'storage', 'copy'), { code: 'NOT_HELD' })
  t.deepEqual(two.transfers(), [])
})

test('files go only to groups that their holder allows', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'seal', { groups: ['w01'], allowTo: ['w01'] })
  const stranger = await cluster.makePath('stranger', 'seal', { groups: ['w04'], weight: 1000 })
  await writeSealed(there, sector(1))
  await startServing(t, cluster, 'one', [there])
  const storage = await cluster.startNode('two', [stranger])
  await t.throwsAsync(storage.fetch(sector(1), SEALED, 'sealing', 'copy'), { code: 'NO_SPACE' })
  const friend = await cluster.makePath('friend', 'seal', { groups: ['w01'], weight: 1 })
  await storage.attach(friend.directory)
  await storage.fetch(sector(1), SEALED, 'sealing', 'copy')
  t.deepEqual(await cluster.holders(sector(1), SEALED), [there.id, friend.id].sort())
})

test('a download that breaks off leaves nothing, and the next source is taken', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'store', { weight: 1000 })
  const here = await cluster.makePath('here', 'seal')
  const bytes = await writeSealed(there, sector(1))
  await startServing(t, cluster, 'one', [there])
  let asked = 0
  await startLotus(t, cluster, 'broken', SEALED, (_request, response) => {
    asked++
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': 2048 })
    response.write(bytes.subarray(0, 1000), () => response.destroy())
  })
  const storage = await cluster.startNode('two', [here])
  await storage.fetch(sector(1), SEALED, 'sealing', 'copy')
  t.is(asked, 1, 'the lighter path was asked first')
  t.deepEqual(await readFile(here.fileOf('sealed', sector(1))), bytes)
  t.deepEqual(await unfinished(here, 'sealed'), [])
})

test('a file of the wrong length is not taken, however politely it ends', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  const requests: string[] = []
  await startLotus(t, cluster, 'short', SEALED, (request, response) => {
    requests.push(request.method ?? '')
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(content(1, 1024))
  })
  const storage = await cluster.startNode('two', [here])
  await t.throwsAsync(storage.fetch(sector(1), SEALED, 'sealing', 'move'), {
    code: 'FETCH_FAILED',
    message: /1024 bytes/,
  })
  t.deepEqual([...new Set(requests)], ['GET'], 'the source is not removed')
  t.is(requests.length, 3, 'retries are bounded')
  t.deepEqual(
    (await readdir(join(here.directory, 'sealed'))).filter((name) => name !== 'fetching'),
    [],
  )
  t.deepEqual(await unfinished(here, 'sealed'), [])
  t.deepEqual(await cluster.account.SpaceReservations(), [])
  t.deepEqual(
    storage.transfers().map(({ state }) => state),
    ['failed', 'failed', 'failed'],
  )
})

/** A tar archive without its end, as lotus leaves it. */
function tarOf(files: ReadonlyMap<string, Buffer>): Buffer {
  const blocks: Buffer[] = []
  for (const [name, bytes] of files) {
    const head = Buffer.alloc(512)
    head.write(name, 0)
    head.write('0000644\0', 100)
    head.write('0000000\0', 108)
    head.write('0000000\0', 116)
    head.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124)
    head.write('00000000000\0', 136)
    head.write('        ', 148)
    head.write('0', 156)
    head.write('ustar\x0000', 257)
    const sum = head.reduce((total, byte) => total + byte, 0)
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    blocks.push(head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512))
  }
  return Buffer.concat(blocks)
}

test('a cache that arrives without all files of a phase is not taken', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const made = await cluster.makePath('made', 'seal')
  const here = await cluster.makePath('here', 'seal')
  const names = await writeCache(made, sector(1), 'pc1')
  const files = new Map<string, Buffer>()
  for (const name of names) files.set(name, await readFile(join(made.fileOf('cache', sector(1)), name)))
  let archive = tarOf(new Map([...files].slice(0, -1)))
  await startLotus(t, cluster, 'lotus', CACHE, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-tar' }).end(archive)
  })
  const storage = await cluster.startNode('two', [here])
  await t.throwsAsync(storage.fetch(sector(1), CACHE, 'sealing', 'copy'), {
    code: 'FETCH_FAILED',
    message: /lacks/,
  })
  t.deepEqual(await unfinished(here, 'cache'), [])
  archive = tarOf(files)
  await storage.fetch(sector(1), CACHE, 'sealing', 'copy')
  t.deepEqual((await readdir(here.fileOf('cache', sector(1)))).sort(), names)
})

test('a failed removal at the source leaves two copies and the fetch done', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  const bytes = content(1)
  await startLotus(t, cluster, 'lotus', SEALED, (request, response) => {
    if (request.method === 'DELETE') response.writeHead(500).end()
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes)
  })
  const storage = await cluster.startNode('two', [here])
  await storage.fetch(sector(1), SEALED, 'sealing', 'move')
  t.deepEqual(await readFile(here.fileOf('sealed', sector(1))), bytes)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [here.id, 'lotus'].sort())
})

test('a source that lacks the file is asked once', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  let asked = 0
  await startLotus(t, cluster, 'lotus', SEALED, (_request, response) => {
    asked++
    response.writeHead(404).end()
  })
  const storage = await cluster.startNode('two', [here])
  await t.throwsAsync(storage.fetch(sector(1), SEALED, 'sealing', 'copy'), { code: 'NOT_HELD' })
  t.is(asked, 1)
})

test('what a stranger is downloading beside us is not touched', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'store')
  const here = await cluster.makePath('here', 'seal')
  await writeSealed(there, sector(1))
  await startServing(t, cluster, 'one', [there])
  await mkdir(join(here.directory, 'sealed', 'fetching'), { recursive: true })
  await writeFile(join(here.directory, 'sealed', 'fetching', 's-t01000-1'), 'half')
  const storage = await cluster.startNode('two', [here])
  await storage.fetch(sector(1), SEALED, 'sealing', 'copy')
  t.deepEqual(await unfinished(here, 'sealed'), ['s-t01000-1'])
})

test('the store copy of the node that gave a file for a seal path stays', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('there-seal', 'seal', { weight: 1 })
  const store = await cluster.makePath('there-store', 'store')
  const here = await cluster.makePath('here', 'seal')
  for (const path of [seal, store]) await writeSealed(path, sector(1))
  await startServing(t, cluster, 'one', [seal, store])
  const storage = await cluster.startNode('two', [here])
  await storage.fetch(sector(1), SEALED, 'sealing', 'move')
  t.deepEqual(await cluster.holders(sector(1), SEALED), [here.id, `${store.id}*`].sort())
})

test('a stored file that was brought here to be read goes again, if its store still gives it', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const there = await cluster.makePath('there', 'store')
  const here = await cluster.makePath('here', 'seal')
  await writeSealed(there, sector(1))
  await startServing(t, cluster, 'one', [there])
  const storage = await cluster.startNode('two', [here])
  const request = { task: 'UNS', existing: SEALED, allocate: 1, kind: 'sealing', borrow: true } as const
  const acquired = await storage.acquire({ ...request, sector: sector(1) })
  const second = await storage.acquire({ ...request, sector: sector(1) })
  await acquired.release()
  t.is((await storage.find('sealed', sector(1).ID))?.pathId, here.id, 'another task reads it')
  // A file that the index believes in and the store does not give: the copy here may be the last.
  await rename(there.fileOf('sealed', sector(1)), `${there.directory}/elsewhere`)
  await second.release()
  t.is((await storage.find('sealed', sector(1).ID))?.pathId, here.id)
  await rename(`${there.directory}/elsewhere`, there.fileOf('sealed', sector(1)))
  const third = await storage.acquire({ ...request, sector: sector(1) })
  await third.release()
  t.is(await storage.find('sealed', sector(1).ID), null)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${there.id}*`])
})

test('a holder that cannot tell whose token it is may know later', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const here = await cluster.makePath('here', 'seal')
  let asked = 0
  await startLotus(t, cluster, 'lotus', SEALED, (_request, response) => {
    asked++
    if (asked === 1) response.writeHead(401).end()
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(content(1))
  })
  const storage = await cluster.startNode('two', [here])
  await storage.fetch(sector(1), SEALED, 'sealing', 'copy')
  t.is(asked, 2)
})
