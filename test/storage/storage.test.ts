import { writeFile } from 'node:fs/promises'
import test from 'ava'
import { ClusterAtHand, failingIndex, sector, writeSealed } from './cluster-at-hand.ts'

test('a node lists its paths as workers do, and finds the stored copy first', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store', { weight: 7 })
  await writeSealed(seal, sector(1))
  await writeSealed(store, sector(1))
  const storage = await cluster.startNode('node', [seal, store])
  t.deepEqual(storage.workerPaths(), [
    { ID: seal.id, Weight: 10, LocalPath: seal.directory, CanSeal: true, CanStore: false },
    { ID: store.id, Weight: 7, LocalPath: store.directory, CanSeal: false, CanStore: true },
  ])
  t.deepEqual(await storage.find('sealed', sector(1).ID), {
    pathId: store.id,
    file: store.fileOf('sealed', sector(1)),
  })
  t.is(await storage.find('cache', sector(1).ID), null)
  await t.throwsAsync(storage.stat('unknown'), { code: 'UNKNOWN_PATH' })
})

test('tells what is allocated of an unsealed copy, in unpadded bytes', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const store = await cluster.makePath('store', 'store')
  const storage = await cluster.startNode('node', [store])
  await t.throwsAsync(storage.allocated(sector(1), 0, 127), { code: 'NOT_HELD' })
  // RLE+ for "the first 1024 padded bytes": version 0, bit 1, a run of varint 1024; then its length in 4 bytes.
  const trailer = Buffer.from([0x04, 0x10, 0x01, 3, 0, 0, 0])
  await writeFile(store.fileOf('unsealed', sector(1)), Buffer.concat([Buffer.alloc(2048, 1), trailer]))
  t.true(await storage.allocated(sector(1), 0, 1016))
  t.true(await storage.allocated(sector(1), 100, 800))
  t.false(await storage.allocated(sector(1), 0, 1017))
  t.false(await storage.allocated(sector(1), 1016, 127))
})

test('two nodes never share a repo', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  await cluster.startNode('node', [])
  await t.throwsAsync(cluster.startNode('node', []), { message: /journal of moves/ })
})

test('a node that stops begins nothing new', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const storage = await cluster.startNode('node', [seal])
  await storage.close(0)
  const request = { task: 'AP', sector: sector(1), existing: 0, allocate: 1, kind: 'sealing' } as const
  await t.throwsAsync(storage.acquire(request), { code: 'BUSY' })
})

test('a heartbeat tells an index that lost its state everything again', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const store = await cluster.makePath('store', 'store')
  await writeSealed(store, sector(1))
  await cluster.startNode('node', [store])
  await cluster.index.StorageDetach(store.id, 'http://node:3456/remote')
  t.deepEqual(await cluster.index.StorageList(), {})
  for (let beat = 0; beat < 200 && (await cluster.holders(sector(1), 2)).length === 0; beat++) {
    await cluster.clock.advance(10_000)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  t.deepEqual(await cluster.holders(sector(1), 2), [`${store.id}*`])
})

test('an index that is away does not keep a node from starting', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const store = await cluster.makePath('store', 'store')
  await writeSealed(store, sector(1))
  const failing: Parameters<typeof failingIndex>[1] = { method: 'StorageAttach' }
  const storage = await cluster.startNode('node', [store], { index: failingIndex(cluster.index, failing) })
  t.deepEqual(storage.localPaths(), {})
  failing.method = null
  await storage.introduceAgain()
  t.deepEqual(await cluster.holders(sector(1), 2), [`${store.id}*`])
})
