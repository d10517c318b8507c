import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import type { StorageError } from '../../src/storage/errors.ts'
import { skipUnless } from '../skip.ts'
import {
  ClusterAtHand,
  failingIndex,
  hookedIndex,
  Published,
  sector,
  writeCache,
  writeSealed,
} from './cluster-at-hand.ts'

const SEALED = 2
const CACHE = 4

test('moves a finalized sector to the store by rename, with no byte copied', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  const bytes = await writeSealed(seal, sector(1))
  const names = await writeCache(seal, sector(1), 'finalized')
  const publications = new Published()
  const storage = await cluster.startNode('node', [seal, store], { publications })
  await storage.records.put(sector(1).ID, seal.id, {
    ticket: 'dGlja2V0',
    pieces: ['a:1'],
    phase: 'finalized',
  })
  const inode = (await stat(seal.fileOf('sealed', sector(1)))).ino

  await storage.moveToStore(sector(1), SEALED | CACHE)

  t.deepEqual(await readFile(store.fileOf('sealed', sector(1))), bytes)
  t.is((await stat(store.fileOf('sealed', sector(1)))).ino, inode, 'the very same file')
  t.deepEqual((await readdir(store.fileOf('cache', sector(1)))).sort(), names)
  t.deepEqual(
    (await readdir(join(seal.directory, 'sealed'))).filter((name) => name !== 'fetching'),
    [],
  )
  t.deepEqual(
    (await readdir(join(seal.directory, 'cache'))).filter((name) => name !== 'fetching'),
    [],
  )
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${store.id}*`])
  t.deepEqual(await cluster.holders(sector(1), CACHE), [`${store.id}*`])
  t.deepEqual([...publications.files.keys()].sort(), [
    `${store.id} cache/s-t01000-1`,
    `${store.id} sealed/s-t01000-1`,
  ])
  t.deepEqual(
    storage.transfers().map(({ method, state }) => [method, state]),
    [
      ['rename', 'done'],
      ['rename', 'done'],
    ],
  )
  t.is(
    (await storage.records.get(sector(1).ID, store.id))?.ticket,
    'dGlja2V0',
    'what is known of the cache goes along',
  )
  t.is(await storage.records.get(sector(1).ID, seal.id), null)
  t.deepEqual(await cluster.account.SpaceReservations(), [])
})

test('moved twice is moved once', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  await writeSealed(seal, sector(1))
  const storage = await cluster.startNode('node', [seal, store])
  await Promise.all([storage.moveToStore(sector(1), SEALED), storage.moveToStore(sector(1), SEALED)])
  await storage.moveToStore(sector(1), SEALED)
  t.is(storage.transfers().length, 1)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${store.id}*`])
})

test('what is in the store already is not moved, also when no path has room', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const full = await cluster.makePath('full', 'store', { maxStorageBytes: 1 })
  await writeSealed(seal, sector(1))
  await writeSealed(full, sector(1))
  const storage = await cluster.startNode('node', [seal, full])
  await storage.moveToStore(sector(1), SEALED)
  t.deepEqual(storage.transfers(), [])
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${full.id}*`], 'the copy on the seal path is gone')
  t.false((await readdir(join(seal.directory, 'sealed'))).includes('s-t01000-1'))
})

test('a sector that no store path takes stays where it is', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  await writeSealed(seal, sector(1))
  const storage = await cluster.startNode('node', [seal])
  await t.throwsAsync(storage.moveToStore(sector(1), SEALED), { code: 'NO_PATH' })
  const full = await cluster.makePath('full', 'store', { maxStorageBytes: 1 })
  await storage.attach(full.directory)
  await t.throwsAsync(storage.moveToStore(sector(1), SEALED), { code: 'NO_SPACE' })
  t.deepEqual(await cluster.holders(sector(1), SEALED), [seal.id])
})

test('a file that a task is writing is not moved from under it', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  await writeSealed(seal, sector(1))
  const storage = await cluster.startNode('node', [seal, store])
  const acquired = await storage.acquire({
    task: 'PC2',
    sector: sector(1),
    existing: 0,
    allocate: SEALED,
    kind: 'sealing',
  })
  await t.throwsAsync(storage.moveToStore(sector(1), SEALED), { code: 'BUSY' })
  await acquired.release()
  await storage.moveToStore(sector(1), SEALED)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${store.id}*`])
})

/** A directory on another filesystem than the temporary one, or null. */
async function elsewhere(t: ExecutionContext, cluster: ClusterAtHand): Promise<string | null> {
  const memory = await stat('/dev/shm').catch(() => null)
  if (memory === null || memory.dev === (await stat(cluster.directory)).dev) return null
  const directory = await mkdtemp('/dev/shm/sealyard-store-')
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

test('a move between filesystems is ended after the node stopped between its steps', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const directory = await elsewhere(t, cluster)
  if (skipUnless(t, directory !== null, 'needs /dev/shm on a filesystem of its own')) return
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath(`${directory}/store`, 'store')
  const bytes = await writeSealed(seal, sector(1))
  const failing: Parameters<typeof failingIndex>[1] = { method: null }
  const first = await cluster.startNode('node', [seal, store], {
    index: failingIndex(cluster.index, failing),
  })

  failing.method = 'StorageDeclareSector'
  const move = t.throwsAsync(first.moveToStore(sector(1), SEALED))
  while (first.transfers()[0]?.state !== 'done') await new Promise((resolve) => setImmediate(resolve))
  await first.close(0)
  await move

  t.deepEqual(
    await readFile(seal.fileOf('sealed', sector(1))),
    bytes,
    'the source stays until the target is declared',
  )
  t.deepEqual(await readFile(store.fileOf('sealed', sector(1))), bytes)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [seal.id])

  failing.method = null
  await cluster.startNode('node', [seal, store])
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${store.id}*`])
  t.deepEqual(
    (await readdir(join(seal.directory, 'sealed'))).filter((name) => name !== 'fetching'),
    [],
  )
  t.deepEqual(await readFile(store.fileOf('sealed', sector(1))), bytes)
  t.deepEqual(await cluster.account.SpaceReservations(), [])
})

test('a copied move is verified, reserved for while it runs, and told with its bytes', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const directory = await elsewhere(t, cluster)
  if (skipUnless(t, directory !== null, 'needs /dev/shm on a filesystem of its own')) return
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath(`${directory}/store`, 'store')
  await writeSealed(seal, sector(1))
  const storage = await cluster.startNode('node', [seal, store])
  await storage.moveToStore(sector(1), SEALED)
  t.deepEqual(
    storage.transfers().map(({ method, bytes, from, to }) => ({ method, bytes, from, to })),
    [{ method: 'copy', bytes: 2048, from: seal.id, to: store.id }],
  )
  t.deepEqual(await storage.tiers().then((tiers) => tiers.map(({ tier }) => tier).sort()), [
    'copy',
    'copy',
    'in-place',
    'in-place',
  ])
})

test('a rename that was not declared in time is found at the next start', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  const bytes = await writeSealed(seal, sector(1))
  const failing: Parameters<typeof failingIndex>[1] = { method: null }
  const first = await cluster.startNode('node', [seal, store], {
    index: failingIndex(cluster.index, failing),
  })
  failing.method = 'StorageDeclareSector'
  const move = t.throwsAsync(first.moveToStore(sector(1), SEALED))
  while (first.transfers()[0]?.state !== 'done') await new Promise((resolve) => setImmediate(resolve))
  await first.close(0)
  await move
  failing.method = null
  const second = await cluster.startNode('node', [seal, store])
  t.deepEqual(await readFile(store.fileOf('sealed', sector(1))), bytes)
  t.true((await cluster.holders(sector(1), SEALED)).includes(`${store.id}*`))
  await second.redeclare(null, true)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${store.id}*`])
})

test('a whole file in a seal path is not given up for half a copy in the store', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  const bytes = await writeSealed(seal, sector(1))
  await writeSealed(store, sector(1))
  await writeFile(store.fileOf('sealed', sector(1)), bytes.subarray(0, 1000))
  const storage = await cluster.startNode('node', [seal, store])
  const refused = await t.throwsAsync<StorageError>(storage.moveToStore(sector(1), SEALED), {
    message: /another content/,
  })
  t.is(refused?.level, 'abort')
  t.deepEqual(await readFile(seal.fileOf('sealed', sector(1))), bytes)
  await rm(store.fileOf('sealed', sector(1)))
  await storage.moveToStore(sector(1), SEALED)
  t.deepEqual(await readFile(store.fileOf('sealed', sector(1))), bytes)
})

test('what is known of a cache is there with it, also when the node stops right after the rename', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  await writeCache(seal, sector(1), 'finalized')
  const failing: Parameters<typeof failingIndex>[1] = { method: null }
  const first = await cluster.startNode('node', [seal, store], {
    index: failingIndex(cluster.index, failing),
  })
  const record = { ticket: 'dGlja2V0', pieces: ['a:1'], phase: 'finalized' } as const
  await first.records.put(sector(1).ID, seal.id, record)
  failing.method = 'StorageDeclareSector'
  const move = t.throwsAsync(first.moveToStore(sector(1), CACHE))
  while (first.transfers()[0]?.state !== 'done') await new Promise((resolve) => setImmediate(resolve))
  await first.close(0)
  await move
  const second = await cluster.startNode('node', [seal, store])
  t.deepEqual(await second.records.get(sector(1).ID, store.id), record)
})

test('an interrupted move is ended once, however many take it up at once', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const directory = await elsewhere(t, cluster)
  if (skipUnless(t, directory !== null, 'needs /dev/shm on a filesystem of its own')) return
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath(`${directory}/store`, 'store')
  await writeSealed(seal, sector(1))
  const failing: Parameters<typeof failingIndex>[1] = { method: null }
  // The first who ends it takes so long to say so that the others are there before it is done.
  const slow = hookedIndex(cluster.index, async (method) => {
    if (method === 'StorageDropSector') await new Promise((resolve) => setTimeout(resolve, 300))
  })
  const index = failingIndex(slow, failing)
  const first = await cluster.startNode('node', [seal, store], { index })
  failing.method = 'StorageDeclareSector'
  const move = t.throwsAsync(first.moveToStore(sector(1), SEALED))
  while (first.transfers()[0]?.state !== 'done') await new Promise((resolve) => setImmediate(resolve))
  await first.close(0)
  await move
  const said: string[] = []
  const log = {
    ...silentLogger,
    warn: (text: string) => said.push(text),
    info: (text: string) => said.push(text),
  }
  const second = await cluster.startNode('node', [seal, store], { index, log })
  failing.method = null
  said.length = 0
  await Promise.all([second.introduceAgain(), second.introduceAgain(), second.introduceAgain()])
  t.deepEqual(
    said.filter((text) => text.startsWith('an interrupted move')),
    ['an interrupted move was ended'],
  )
})
