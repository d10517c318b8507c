import { cp, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Logger } from '../../src/base/log.ts'
import { silentLogger } from '../../src/base/log.ts'
import { storageError } from '../../src/storage/errors.ts'
import { STORAGE_DEFAULTS } from '../../src/storage/parts.ts'
import {
  ClusterAtHand,
  hookedIndex,
  Published,
  sector,
  until,
  writeCache,
  writeSealed,
} from './cluster-at-hand.ts'

const SEALED = 2
const CACHE = 4

test('a path that lotus made is attached as it is, and its files are declared and served', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const metafile = await readFile(join(path.directory, 'sectorstore.json'), 'utf8')
  await writeSealed(path, sector(1))
  await writeCache(path, sector(1), 'finalized')
  const publications = new Published()
  const storage = await cluster.startNode('node', [], { publications })

  await storage.attach(path.directory)

  t.deepEqual(storage.localPaths(), { [path.id]: path.directory })
  t.deepEqual(
    await cluster.holders(sector(1), SEALED),
    [`${path.id}*`],
    'a store path holds the copy of record',
  )
  t.deepEqual(await cluster.holders(sector(1), CACHE), [`${path.id}*`])
  t.is(publications.files.get(`${path.id} sealed/s-t01000-1`), path.fileOf('sealed', sector(1)))
  t.is(
    await readFile(join(path.directory, 'sectorstore.json'), 'utf8'),
    metafile,
    'nothing rewrites the metafile',
  )
  t.deepEqual((await readdir(path.directory)).sort(), [
    '.sealyard',
    'cache',
    'piece',
    'sealed',
    'sectorstore.json',
    'unsealed',
    'update',
    'update-cache',
  ])
  const list = JSON.parse(await readFile(join(cluster.directory, 'node', 'storage.json'), 'utf8')) as unknown
  t.deepEqual(list, { StoragePaths: [{ Path: path.directory }] })
})

test('one path may lie inside another, each with its own files', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const outer = await cluster.makePath('f01005', 'store')
  const inner = await cluster.makePath('f01005/store', 'store')
  await writeSealed(outer, sector(1))
  await writeSealed(inner, sector(2))
  const storage = await cluster.startNode('node', [outer, inner])
  t.deepEqual(storage.localPaths(), { [outer.id]: outer.directory, [inner.id]: inner.directory })
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${outer.id}*`])
  t.deepEqual(await cluster.holders(sector(2), SEALED), [`${inner.id}*`])
})

test('a copied sectorstore.json is refused, and the path it was copied from goes on', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const copy = join(cluster.directory, 'copy')
  await cp(path.directory, copy, { recursive: true })
  const storage = await cluster.startNode('node', [path])
  await t.throwsAsync(storage.attach(copy), { code: 'DUPLICATE_PATH' })
  t.deepEqual(storage.localPaths(), { [path.id]: path.directory })
})

test('a directory without a metafile is refused with what to do', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const storage = await cluster.startNode('node', [])
  await t.throwsAsync(storage.attach(join(cluster.directory, 'nothing')), {
    code: 'BAD_METAFILE',
    message: /--init/,
  })
})

test('names that are no sector files are told and skipped', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  await writeSealed(path, sector(1))
  await writeFile(join(path.directory, 'sealed', 'notes.txt'), '')
  await mkdir(join(path.directory, 'sealed', 's-t01000-9'))
  const told: string[] = []
  const log: Logger = {
    ...silentLogger,
    warn: (_message, fields) => told.push(...((fields?.names as string[]) ?? [])),
  }
  await cluster.startNode('node', [path], { log })
  t.deepEqual(told.sort(), ['notes.txt', 's-t01000-9'])
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${path.id}*`])
  t.deepEqual(await cluster.holders(sector(9), SEALED), [])
})

test('a path that cannot be opened does not keep the others from it, and is taken up later', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const good = await cluster.makePath('good', 'seal')
  const late = await cluster.makePath('late', 'store')
  await rename(late.directory, `${late.directory}.unmounted`)
  const storage = await cluster.startNode('node', [late, good])
  t.deepEqual(Object.keys(storage.localPaths()), [good.id])
  await rename(`${late.directory}.unmounted`, late.directory)
  await storage.introduceAgain()
  t.deepEqual(Object.keys(storage.localPaths()).sort(), [good.id, late.id].sort())
})

test('a detached path leaves the index and the list, and keeps its files', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  await writeSealed(path, sector(1))
  const publications = new Published()
  const storage = await cluster.startNode('node', [path], { publications })
  await storage.detach(path.directory)
  t.deepEqual(storage.localPaths(), {})
  t.deepEqual(await cluster.holders(sector(1), SEALED), [])
  t.is(publications.files.size, 0)
  t.true((await readdir(join(path.directory, 'sealed'))).includes('s-t01000-1'))
  const list = JSON.parse(await readFile(join(cluster.directory, 'node', 'storage.json'), 'utf8')) as unknown
  t.deepEqual(list, { StoragePaths: [] })
  await t.throwsAsync(storage.detach(path.directory), { code: 'UNKNOWN_PATH' })
})

test('a shared path that two nodes attach is one path with two URLs, until one detaches', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('share', 'store')
  await writeSealed(path, sector(1))
  const one = await cluster.startNode('one', [path])
  await cluster.startNode('two', [path])
  t.deepEqual((await cluster.index.StorageInfo(path.id)).URLs, [
    'http://one:3456/remote',
    'http://two:3456/remote',
  ])
  await one.detachAll()
  t.deepEqual((await cluster.index.StorageInfo(path.id)).URLs, ['http://two:3456/remote'])
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${path.id}*`])
})

test('an edited storage.json is followed', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const first = await cluster.makePath('first', 'seal')
  const second = await cluster.makePath('second', 'store')
  const storage = await cluster.startNode('node', [first])
  const file = join(cluster.directory, 'node', 'storage.json')
  await writeFile(file, JSON.stringify({ StoragePaths: [{ Path: second.directory }] }))
  const isFollowed = async () => Object.keys(storage.localPaths()).join() === second.id
  t.true(await until(cluster.clock, isFollowed))
})

test('a sector file that comes is declared, one that goes is dropped', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  await cluster.startNode('node', [path])
  await writeSealed(path, sector(1))
  await writeCache(path, sector(1), 'finalized')
  const areDeclared = async () =>
    (await cluster.holders(sector(1), SEALED)).length === 1 &&
    (await cluster.holders(sector(1), CACHE)).length === 1
  t.true(await until(cluster.clock, areDeclared))
  await rm(path.fileOf('sealed', sector(1)))
  t.true(await until(cluster.clock, async () => (await cluster.holders(sector(1), SEALED)).length === 0))
  t.deepEqual(await cluster.holders(sector(1), CACHE), [`${path.id}*`])
})

test('an unmounted path is parked, and nothing of it is dropped', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  await writeSealed(path, sector(1))
  const storage = await cluster.startNode('node', [path])
  await rename(path.directory, `${path.directory}.unmounted`)
  await mkdir(join(path.directory, 'sealed'), { recursive: true })
  await storage.redeclare(null, true).catch(() => undefined)
  await cluster.clock.advance(15_000)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${path.id}*`])
  const request = { task: 'PC1', sector: sector(2), existing: 0, allocate: SEALED, kind: 'storage' } as const
  await t.throwsAsync(storage.acquire(request))
  t.deepEqual(await readdir(join(path.directory, 'sealed')), [], 'nothing is written below the mount point')
})

test('redeclare drops what the disk lacks only when told to', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const storage = await cluster.startNode('node', [path])
  await cluster.index.StorageDeclareSector(path.id, sector(5).ID, SEALED, true)
  await storage.redeclare(path.id, false)
  t.deepEqual(await cluster.holders(sector(5), SEALED), [`${path.id}*`])
  await storage.redeclare(path.id, true)
  t.deepEqual(await cluster.holders(sector(5), SEALED), [])
})

test('a file that went without a word, as when the node died then, is dropped at the next start', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('seal', 'seal')
  await writeSealed(path, sector(1))
  const first = await cluster.startNode('node', [path])
  await first.close(0)
  await rm(path.fileOf('sealed', sector(1)))
  t.deepEqual(await cluster.holders(sector(1), SEALED), [path.id])
  await cluster.startNode('node', [path])
  t.deepEqual(await cluster.holders(sector(1), SEALED), [])
})

test('a path that the index cannot be told of is not detached: the index alone would know it for good', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('seal', 'seal')
  let isAway = false
  const index = hookedIndex(cluster.index, async () => {
    if (isAway) throw storageError({ code: 'IO', level: 'temporary', message: 'the sealer is away' })
  })
  const storage = await cluster.startNode('node', [path], { index })
  isAway = true
  await t.throwsAsync(storage.detach(path.directory), { message: 'the sealer is away' })
  t.deepEqual(Object.keys(storage.localPaths()), [path.id])
  isAway = false
  await storage.detach(path.directory)
  t.deepEqual(storage.localPaths(), {})
  t.deepEqual(await cluster.index.StorageList(), {})
})

test('a node that restarts removes its own unfinished files and keeps those of strangers', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const first = await cluster.startNode('node', [path])
  const acquired = await first.acquire({
    task: 'AP',
    sector: sector(1),
    existing: 0,
    allocate: 1,
    kind: 'storage',
  })
  const own = acquired.scratch.split('/').at(-1) ?? ''
  await first.close(0)
  const fetching = join(path.directory, 'sealed', 'fetching')
  await mkdir(fetching, { recursive: true })
  await writeFile(join(fetching, `s-t01000-1.${own}`), 'ours')
  await writeFile(join(fetching, 's-t01000-2'), 'of a lotus node')
  await writeFile(join(fetching, 's-t01000-3.removed-18af-0'), 'a removal that a power cut ended')
  await writeFile(join(fetching, 's-t01000-4.removed-18af-1'), 'a removal that is under way')
  const longAgo = new Date(cluster.clock.now() - 3_600_000)
  await utimes(join(fetching, 's-t01000-3.removed-18af-0'), longAgo, longAgo)
  await cluster.startNode('node', [path])
  t.deepEqual((await readdir(fetching)).sort(), ['s-t01000-2', 's-t01000-4.removed-18af-1'])
  t.deepEqual(await readdir(join(path.directory, '.sealyard', 'scratch')), [])
  t.deepEqual(await cluster.account.SpaceReservations(), [])
})

test('a path that is attached twice is told to be attached already', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const storage = await cluster.startNode('node', [path])
  await t.throwsAsync(storage.attach(path.directory), {
    code: 'DUPLICATE_PATH',
    message: /is attached to this node already/,
  })
})

test('a path that running work reads is not detached, by a command or by an edited storage.json', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('seal', 'seal')
  await writeSealed(path, sector(1))
  const storage = await cluster.startNode('node', [path])
  const request = { task: 'C1', sector: sector(1), existing: SEALED, allocate: 0, kind: 'sealing' } as const
  const acquired = await storage.acquire(request)
  await t.throwsAsync(storage.detach(path.directory), { code: 'BUSY', message: /read by running work/ })
  await writeFile(join(cluster.directory, 'node', 'storage.json'), JSON.stringify({ StoragePaths: [] }))
  await storage.introduceAgain()
  t.deepEqual(Object.keys(storage.localPaths()), [path.id])
  await acquired.release()
  await storage.introduceAgain()
  t.deepEqual(storage.localPaths(), {})
})

test('a task whose path was taken off the node ends all the same', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('seal', 'seal')
  const storage = await cluster.startNode('node', [path])
  const request = { task: 'PC1', sector: sector(1), existing: 0, allocate: SEALED, kind: 'sealing' } as const
  const acquired = await storage.acquire(request)
  await writeSealed(path, sector(1))
  await storage.detachAll()
  await acquired.release()
  t.deepEqual(await cluster.account.SpaceReservations(), [])
  await storage.attach(path.directory)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [path.id])
})

test('a file that is made while its directory is compared is not taken for gone', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'both')
  let isMaking = false
  const index = hookedIndex(cluster.index, async (method, [, of]) => {
    if (method !== 'StorageDeclareSector' || (of as { Number: number }).Number !== 1 || isMaking) return
    isMaking = true
    const request = {
      task: 'PC1',
      sector: sector(2),
      existing: 0,
      allocate: SEALED,
      kind: 'sealing',
    } as const
    const acquired = await storage.acquire(request)
    await writeSealed(path, sector(2))
    await acquired.release()
  })
  const storage = await cluster.startNode('node', [path], { index })
  await writeSealed(path, sector(1))
  t.true(await until(cluster.clock, async () => (await cluster.holders(sector(1), SEALED)).length === 1))
  // One more look has time to end.
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.deepEqual(await cluster.holders(sector(2), SEALED), [`${path.id}*`])
})

test('what came while a path was away is seen as soon as it is back', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const settings = { ...STORAGE_DEFAULTS, reconcileMs: 10 ** 9 }
  await cluster.startNode('node', [path], { settings })
  const away = `${path.directory}.unmounted`
  await rename(path.directory, away)
  const isParked = async () => {
    const view = cluster.index.view().paths.find(({ info }) => info.ID === path.id)
    return view?.unusable !== null
  }
  t.true(await until(cluster.clock, isParked))
  await writeFile(join(away, 'sealed', 's-t01000-1'), 'written while nobody looked')
  for (let second = 0; second < 5; second++) {
    await cluster.clock.advance(1000)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await rename(away, path.directory)
  t.true(await until(cluster.clock, async () => (await cluster.holders(sector(1), SEALED)).length === 1))
  await rm(path.fileOf('sealed', sector(1)))
  t.true(await until(cluster.clock, async () => (await cluster.holders(sector(1), SEALED)).length === 0))
})

test('a path whose report hangs keeps no other from reporting', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const hung = await cluster.makePath('hung', 'store')
  const well = await cluster.makePath('well', 'store')
  const reports = new Map<string, number>()
  const index = hookedIndex(cluster.index, async (method, [id]) => {
    if (method !== 'StorageReportHealth') return
    reports.set(id as string, (reports.get(id as string) ?? 0) + 1)
    if (id === hung.id) await new Promise(() => undefined)
  })
  await cluster.startNode('node', [hung, well], { index })
  t.true(await until(cluster.clock, async () => (reports.get(well.id) ?? 0) >= 3))
  t.is(reports.get(hung.id), 1)
})

test('a list of paths that an operator has broken does not keep a worker from its sealer', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const storage = await cluster.startNode('node', [path])
  await writeFile(join(cluster.directory, 'node', 'storage.json'), '{"StoragePaths": [')
  await storage.introduceAgain()
  t.deepEqual(Object.keys(storage.localPaths()), [path.id])
})

test('a node that comes back under another address takes its old URL out of the index', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const [own, shared] = [await cluster.makePath('own', 'seal'), await cluster.makePath('shared', 'store')]
  await writeSealed(own, sector(1))
  await cluster.startNode('other', [shared])
  const before = await cluster.startNode('node', [own, shared])
  await before.close(0)
  const after = await cluster.startNode('node', [own, shared], { url: 'http://node:9999/remote' })
  const urlsOf = async (id: string) => (await cluster.index.StorageInfo(id)).URLs
  t.deepEqual(await urlsOf(own.id), ['http://node:9999/remote'])
  t.deepEqual(await urlsOf(shared.id), ['http://other:3456/remote', 'http://node:9999/remote'])
  t.deepEqual(await cluster.holders(sector(1), SEALED), [own.id])

  await after.detach(own.directory)
  await t.throwsAsync(cluster.index.StorageInfo(own.id), undefined, 'nothing keeps it there')
})
