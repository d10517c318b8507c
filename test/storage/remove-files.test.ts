import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ClusterAtHand, Published, sector, writeCache, writeSealed } from './cluster-at-hand.ts'

const SEALED = 2
const CACHE = 4
const BY_STRANGER = { quarantineLastStoreCopy: true }

test('removes a type from every own path but those that are kept', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  await writeSealed(seal, sector(1))
  await writeSealed(store, sector(1))
  await writeCache(seal, sector(1), 'pc1')
  const publications = new Published()
  const storage = await cluster.startNode('node', [seal, store], { publications })

  await storage.remove(sector(1).ID, 'sealed', [store.id])

  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${store.id}*`])
  t.deepEqual(await cluster.holders(sector(1), CACHE), [seal.id], 'other types are not touched')
  t.deepEqual(
    new Set(publications.files.keys()),
    new Set([`${seal.id} cache/s-t01000-1`, `${store.id} sealed/s-t01000-1`]),
  )
  await storage.records.put(sector(1).ID, seal.id, { ticket: '', pieces: [], phase: 'pc1' })
  await storage.remove(sector(1).ID, 'cache', [])
  t.deepEqual(await cluster.holders(sector(1), CACHE), [])
  t.is(await storage.records.get(sector(1).ID, seal.id), null)
  await t.throwsAsync(storage.remove(sector(1).ID, 'cache', []), { code: 'NOT_HELD' })
})

test('the last copy in a store path, removed by another node, is put aside', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const store = await cluster.makePath('store', 'store')
  const bytes = await writeSealed(store, sector(1))
  const storage = await cluster.startNode('node', [store])
  await storage.remove(sector(1).ID, 'sealed', [], BY_STRANGER)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [])
  const quarantine = join(store.directory, '.sealyard', 'quarantine', 'sealed')
  const [name = ''] = await readdir(quarantine)
  t.regex(name, /^s-t01000-1\./)
  t.deepEqual(await readFile(join(quarantine, name)), bytes)
  t.false((await readdir(join(store.directory, 'sealed'))).includes('s-t01000-1'))
})

test('a copy in a store path that is not the last one, and one in a seal path, are removed', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const one = await cluster.makePath('one', 'store')
  const two = await cluster.makePath('two', 'store')
  for (const path of [seal, one, two]) await writeSealed(path, sector(1))
  const storage = await cluster.startNode('node', [seal, one, two])
  await storage.remove(sector(1).ID, 'sealed', [two.id], BY_STRANGER)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${two.id}*`])
  t.false((await readdir(join(one.directory, '.sealyard'))).includes('quarantine'))
})

test('what a task of this node is writing is not removed by another node', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  await writeSealed(seal, sector(1))
  const storage = await cluster.startNode('node', [seal])
  const request = { task: 'PC1', sector: sector(1), existing: 0, allocate: SEALED, kind: 'sealing' } as const
  const acquired = await storage.acquire(request)
  await t.throwsAsync(storage.remove(sector(1).ID, 'sealed', [], BY_STRANGER), { code: 'BUSY' })
  await acquired.release()
  await storage.remove(sector(1).ID, 'sealed', [], BY_STRANGER)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [])
})
