import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { SectorRef } from '../../src/sectors/sector-id.ts'
import { ClusterAtHand, content, type PathAtHand, sector } from './cluster-at-hand.ts'
import { startLotus } from './strangers-at-hand.ts'

const UNSEALED = 1
const SIZE = 2048
/** RLE+: version 0, the first run is set and has so many bytes; then the length of the whole. */
const FIRST_HALF = trailerOfFirst(1024)
const WHOLE = trailerOfFirst(SIZE)

function trailerOfFirst(bytes: number): Buffer {
  const bits = [0, 0, 1, 0, 0]
  for (let rest = bytes; ; rest >>= 7) {
    const group = (rest & 0x7f) | (rest > 0x7f ? 0x80 : 0)
    for (let at = 0; at < 8; at++) bits.push((group >> at) & 1)
    if (rest <= 0x7f) break
  }
  const trailer = Buffer.alloc(Math.ceil(bits.length / 8) + 4)
  bits.forEach((bit, at) => {
    trailer[at >> 3] = (trailer[at >> 3] ?? 0) | (bit << (at & 7))
  })
  trailer.writeUInt32LE(trailer.length - 4, trailer.length - 4)
  return trailer
}

async function writeUnsealed(path: PathAtHand, of: SectorRef, trailer: Buffer): Promise<Buffer> {
  const data = content(of.ID.Number, SIZE)
  if (trailer === FIRST_HALF) data.fill(0, 1024)
  const bytes = Buffer.concat([data, trailer])
  await mkdir(join(path.directory, 'unsealed'), { recursive: true })
  await writeFile(path.fileOf('unsealed', of), bytes)
  return bytes
}

async function twoPaths(t: ExecutionContext) {
  const cluster = await ClusterAtHand.make(t)
  return {
    cluster,
    seal: await cluster.makePath('seal', 'seal'),
    store: await cluster.makePath('store', 'store'),
  }
}

test('the whole unsealed copy takes the place of the part that lies in the store', async (t) => {
  const { cluster, seal, store } = await twoPaths(t)
  const whole = await writeUnsealed(seal, sector(1), WHOLE)
  await writeUnsealed(store, sector(1), FIRST_HALF)
  const storage = await cluster.startNode('node', [seal, store])
  await storage.moveToStore(sector(1), UNSEALED)
  t.deepEqual(await readFile(store.fileOf('unsealed', sector(1))), whole)
  t.deepEqual(await cluster.holders(sector(1), UNSEALED), [`${store.id}*`])
})

test('a part in a seal path goes when the store has the whole', async (t) => {
  const { cluster, seal, store } = await twoPaths(t)
  await writeUnsealed(seal, sector(1), FIRST_HALF)
  const whole = await writeUnsealed(store, sector(1), WHOLE)
  const storage = await cluster.startNode('node', [seal, store])
  await storage.moveToStore(sector(1), UNSEALED)
  t.deepEqual(await readFile(store.fileOf('unsealed', sector(1))), whole)
  t.deepEqual(await cluster.holders(sector(1), UNSEALED), [`${store.id}*`])
})

test('a part alone, as finalizing leaves it, goes to the store', async (t) => {
  const { cluster, seal, store } = await twoPaths(t)
  const part = await writeUnsealed(seal, sector(1), FIRST_HALF)
  const storage = await cluster.startNode('node', [seal, store])
  await storage.moveToStore(sector(1), UNSEALED)
  t.deepEqual(await readFile(store.fileOf('unsealed', sector(1))), part)
})

test('a copy that does not say what it holds is not given up', async (t) => {
  const { cluster, seal, store } = await twoPaths(t)
  await writeUnsealed(seal, sector(1), WHOLE)
  await writeUnsealed(store, sector(1), Buffer.from([1, 2, 3, 255, 255, 255, 255]))
  const storage = await cluster.startNode('node', [seal, store])
  await t.throwsAsync(storage.moveToStore(sector(1), UNSEALED), { message: /another content/ })
  t.is((await stat(store.fileOf('unsealed', sector(1)))).size, SIZE + 7)
})

/** Another node with an unsealed copy in a seal path: how much it says it holds, and what it serves. */
async function otherNode(t: ExecutionContext, cluster: ClusterAtHand, bytes: Buffer, holdsAll: boolean) {
  const removals: string[] = []
  await startLotus(t, cluster, 'theirs', UNSEALED, (request, response) => {
    const url = request.url ?? ''
    if (url.includes('/allocated/')) response.writeHead(holdsAll ? 200 : 416).end()
    else if (request.method === 'DELETE') {
      removals.push(url)
      response.writeHead(200).end()
    } else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes)
  })
  return removals
}

test('a part in the store gives way to the whole copy that another node has unsealed', async (t) => {
  const { cluster, store } = await twoPaths(t)
  await writeUnsealed(store, sector(1), FIRST_HALF)
  const whole = Buffer.concat([content(1, SIZE), WHOLE])
  const removals = await otherNode(t, cluster, whole, true)
  const storage = await cluster.startNode('node', [store])
  await storage.moveToStore(sector(1), UNSEALED)
  t.deepEqual(await readFile(store.fileOf('unsealed', sector(1))), whole)
  t.true(removals.length > 0, 'their copy has moved')
})

test('a part in the store stays while no other node has the whole', async (t) => {
  const { cluster, store } = await twoPaths(t)
  const part = await writeUnsealed(store, sector(1), FIRST_HALF)
  const removals = await otherNode(t, cluster, part, false)
  const storage = await cluster.startNode('node', [store])
  await storage.moveToStore(sector(1), UNSEALED)
  t.deepEqual(await readFile(store.fileOf('unsealed', sector(1))), part)
  t.deepEqual(removals, [])
})
