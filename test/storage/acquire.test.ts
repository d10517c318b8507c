import { access, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { sealProof } from '../../src/sectors/proof-types.ts'
import { neededSpace } from '../../src/sectors/space-tables.ts'
import type { AcquireRequest } from '../../src/storage/node-storage.ts'
import { ClusterAtHand, failingIndex, PROOF_2K, Published, sector, writeSealed } from './cluster-at-hand.ts'

const UNSEALED = 1
const SEALED = 2
const CACHE = 4

function request(rest: Partial<AcquireRequest>): AcquireRequest {
  return { task: 'PC1', sector: sector(1), existing: 0, allocate: 0, kind: 'sealing', ...rest }
}

test('gives paths of the right kind, reserves for them, and declares what was made', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store', { weight: 1000 })
  const publications = new Published()
  const storage = await cluster.startNode('node', [store, seal], { publications })

  const acquired = await storage.acquire(request({ allocate: SEALED | CACHE, scratchBytes: 5000 }))

  t.is(acquired.file('sealed').file, seal.fileOf('sealed', sector(1)))
  t.is(acquired.file('cache').pathId, seal.id)
  t.throws(() => acquired.file('unsealed'), { code: 'NOT_HELD' })
  const held = await cluster.account.SpaceReservations()
  const needed = held.map(({ fileType, neededBytes }) => [fileType, neededBytes])
  t.deepEqual(
    needed.sort(([a = 0], [b = 0]) => a - b),
    [
      [0, 5000],
      [SEALED, 2048],
      [CACHE, neededSpace('cache', sealProof(PROOF_2K), 'sealing')],
    ],
  )
  t.is(held.find((each) => each.fileType === CACHE)?.reportedBytes, 28_876)
  t.is((await storage.stat(seal.id)).Reserved, 2048 + 28_876)
  await access(acquired.scratch)

  await writeFile(acquired.file('sealed').file, Buffer.alloc(2048))
  await acquired.release()
  await acquired.release()

  t.deepEqual(await cluster.holders(sector(1), SEALED), [seal.id], 'not primary: it lies on a seal path')
  t.deepEqual(await cluster.holders(sector(1), CACHE), [], 'what was not made is not declared')
  t.deepEqual([...publications.files.keys()], [`${seal.id} sealed/s-t01000-1`])
  t.deepEqual(await cluster.account.SpaceReservations(), [])
  t.is((await storage.stat(seal.id)).Reserved, 0)
  t.deepEqual(await readdir(join(seal.directory, '.sealyard', 'scratch')), [])
})

test('a file that a task is making is neither declared nor served before it is released', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const storage = await cluster.startNode('node', [seal])
  const acquired = await storage.acquire(request({ allocate: SEALED }))
  await writeSealed(seal, sector(1))
  await storage.redeclare(null, true)
  t.deepEqual(await cluster.holders(sector(1), SEALED), [])
  await t.throwsAsync(storage.detach(seal.directory), { code: 'BUSY' })
  await acquired.release()
  t.deepEqual(await cluster.holders(sector(1), SEALED), [seal.id])
})

test('what exists is used where it lies, also when it is to be made again', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const one = await cluster.makePath('one', 'seal')
  const two = await cluster.makePath('two', 'seal', { weight: 1 })
  await writeSealed(two, sector(1))
  const storage = await cluster.startNode('node', [one, two])
  const existing = await storage.acquire(request({ existing: SEALED, allocate: UNSEALED }))
  t.is(existing.file('sealed').pathId, two.id)
  t.is(existing.file('unsealed').pathId, one.id)
  await existing.release()
  const again = await storage.acquire(request({ allocate: SEALED }))
  t.is(again.file('sealed').pathId, two.id)
  await again.release()
})

test('says who lacks what nobody has, and holds nothing then', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const storage = await cluster.startNode('node', [seal])
  await t.throwsAsync(storage.acquire(request({ existing: SEALED, allocate: UNSEALED })), {
    code: 'NOT_HELD',
  })
  await t.throwsAsync(storage.acquire(request({ allocate: SEALED, kind: 'storage' })), { code: 'NO_PATH' })
  t.deepEqual(await cluster.account.SpaceReservations(), [])
})

test('respects the filters of types and miners', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const open = await cluster.makePath('open', 'seal', { weight: 1 })
  const picky = await cluster.makePath('picky', 'seal', { weight: 1000 })
  const file = join(picky.directory, 'sectorstore.json')
  const meta = {
    ID: picky.id,
    Weight: 1000,
    CanSeal: true,
    CanStore: false,
    DenyTypes: ['sealed'],
    DenyMiners: ['t01001'],
  }
  await writeFile(file, JSON.stringify(meta))
  const storage = await cluster.startNode('node', [open, picky])
  const mine = await storage.acquire(request({ allocate: SEALED | CACHE }))
  t.deepEqual([mine.file('sealed').pathId, mine.file('cache').pathId], [open.id, picky.id])
  await mine.release()
  const other = { ID: { Miner: 1001, Number: 1 }, ProofType: 5 }
  const theirs = await storage.acquire(request({ sector: other, allocate: CACHE }))
  t.is(theirs.file('cache').pathId, open.id)
  await theirs.release()
})

test('when one of several files finds no room, nothing is reserved for the others', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  // Room for a sealed file by the quota, not for scratch beside it.
  const small = await cluster.makePath('small', 'seal', { maxStorageBytes: 2 ** 20 })
  const storage = await cluster.startNode('node', [small])
  const wanted = request({ allocate: SEALED | CACHE, scratchBytes: 2 ** 21 })
  await t.throwsAsync(storage.acquire(wanted), { code: 'NO_SPACE' })
  t.deepEqual(await cluster.account.SpaceReservations(), [])
  t.deepEqual(await readdir(join(small.directory, 'sealed')), [])
  const acquired = await storage.acquire(request({ allocate: SEALED | CACHE }))
  await acquired.release()
})

test('a path that is full by what others were promised is passed over', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const large = await cluster.makePath('large', 'seal', { weight: 1 })
  const small = await cluster.makePath('small', 'seal', { weight: 1_000_000, maxStorageBytes: 2 ** 20 })
  const storage = await cluster.startNode('node', [large, small])
  const first = await storage.acquire(request({ allocate: SEALED, scratchBytes: 900_000 }))
  t.is(first.file('sealed').pathId, small.id)
  const second = await storage.acquire(
    request({ sector: sector(2), allocate: SEALED, scratchBytes: 900_000 }),
  )
  t.is(second.file('sealed').pathId, large.id)
  await first.release()
  await second.release()
  t.deepEqual(await cluster.account.SpaceReservations(), [])
})

test('running work is in the account again after the account was lost', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const storage = await cluster.startNode('node', [seal])
  const acquired = await storage.acquire(request({ allocate: SEALED }))
  const before = await cluster.account.SpaceReservations()
  await cluster.account.SpaceRelease(before.map((each) => each.id))
  await storage.introduceAgain()
  t.deepEqual(await cluster.account.SpaceReservations(), before)
  await acquired.release()
  t.deepEqual(await cluster.account.SpaceReservations(), [])
})

test('a release waits for the index to hear of the file', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const failing: Parameters<typeof failingIndex>[1] = { method: null }
  const storage = await cluster.startNode('node', [seal], { index: failingIndex(cluster.index, failing) })
  const acquired = await storage.acquire(request({ allocate: SEALED }))
  await writeSealed(seal, sector(1))
  failing.method = 'StorageDeclareSector'
  let isReleased = false
  const release = acquired.release().then(() => {
    isReleased = true
  })
  await cluster.clock.advance(20_000)
  t.false(isReleased)
  failing.method = null
  await cluster.clock.advance(5000)
  await release
  t.deepEqual(await cluster.holders(sector(1), SEALED), [seal.id])
})

interface Job {
  readonly number: number
  readonly allocate: number
  readonly scratchBytes: number
  readonly isMade: boolean
}

test('whatever tasks acquire, make and release at once, no reservation is left and none drifts', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  const storage = await cluster.startNode('node', [seal, store])
  const job = fc.record({
    number: fc.integer({ min: 1, max: 3 }),
    allocate: fc.constantFrom(UNSEALED, SEALED, UNSEALED | SEALED, SEALED | CACHE),
    scratchBytes: fc.constantFrom(0, 4096),
    isMade: fc.boolean(),
  })
  const jobs = fc.array(job, { minLength: 1, maxLength: 8 })
  const work = async ({ number, allocate, scratchBytes, isMade }: Job) => {
    const acquired = await storage.acquire(request({ sector: sector(number), allocate, scratchBytes }))
    if (isMade && acquired.files.sealed) await writeFile(acquired.files.sealed.file, Buffer.alloc(2048))
    await acquired.release()
  }
  await fc.assert(
    fc.asyncProperty(jobs, async (each) => {
      await Promise.all(each.map(work))
      t.deepEqual(await cluster.account.SpaceReservations(), [])
      t.is((await storage.stat(seal.id)).Reserved, 0)
    }),
    { numRuns: 15 },
  )
  t.deepEqual(await readdir(join(seal.directory, '.sealyard', 'scratch')), [])
})

test('a file that is made anew is not served meanwhile', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  await writeSealed(seal, sector(1))
  const publications = new Published()
  const storage = await cluster.startNode('node', [seal], { publications })
  t.is(publications.files.size, 1)
  const acquired = await storage.acquire(request({ allocate: SEALED }))
  t.is(publications.files.size, 0)
  await acquired.release()
  t.is(publications.files.size, 1)
})
