import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import { sealedCid, unsealedCid } from '../../src/sectors/commitments.ts'
import { commit1 } from '../../src/worker/tasks/commit-1.ts'
import { finalize } from '../../src/worker/tasks/finalize.ts'
import { preCommit1 } from '../../src/worker/tasks/pre-commit-1.ts'
import { preCommit2 } from '../../src/worker/tasks/pre-commit-2.ts'
import { OTHER_TICKET, PATH_ID, PIECES, PROOF, SECTOR, SEED, TICKET } from './sector-at-hand.ts'
import { layForeignCache, layUnsealed, tasksAtHand } from './worker-at-hand.ts'

const OUTPUT = Buffer.from('"output of PC1"').toString('base64')
const pc1 = { sector: SECTOR, ticket: TICKET, pieces: PIECES }
const pc2 = { sector: SECTOR, phase1Output: OUTPUT }
const c1 = {
  ...pc1,
  seed: SEED,
  cids: { Unsealed: unsealedCid('55'.repeat(32)), Sealed: sealedCid(`06${'66'.repeat(31)}`) },
}
const LAYERS = ['sc-02-data-layer-1.dat', 'sc-02-data-layer-2.dat']

test('a sector goes through PC1, PC2, C1 and FIN; each phase is recorded', async (t) => {
  const { storage, tools, events } = await tasksAtHand(t)
  await layUnsealed(storage)
  const phase = async () => (await storage.records.get(SECTOR.ID, PATH_ID))?.phase

  t.is(await preCommit1(tools, pc1), OUTPUT)
  t.is(await phase(), 'pc1')
  t.deepEqual(await preCommit2(tools, pc2), c1.cids)
  t.is(await phase(), 'pc2')
  t.is(Buffer.from(await commit1(tools, c1), 'base64').toString(), '{"proof":"of C1"}')
  await finalize(tools, SECTOR)
  t.is(await phase(), 'finalized')

  t.deepEqual(
    (await readdir(storage.file('cache'))).sort(),
    [...cacheFileBytes(PROOF, 'finalized').keys()].sort(),
  )
  t.deepEqual(
    events.filter((event) => event.startsWith('acquire')).length,
    events.filter((event) => event.startsWith('release')).length,
    'everything that was acquired is released',
  )
  t.deepEqual(
    (await readdir(storage.directory)).filter((name) => name.startsWith('scratch-')),
    [],
  )
})

test('PC1 with another ticket starts in an empty cache', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  await preCommit1(tools, pc1)
  await preCommit1(tools, { ...pc1, ticket: OTHER_TICKET })
  t.deepEqual(executor.found, [], 'no layer of the first ticket was left to the second')
  t.is((await storage.records.get(SECTOR.ID, PATH_ID))?.ticket, OTHER_TICKET)
})

test('PC1 with other pieces starts in an empty cache', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  await preCommit1(tools, pc1)
  await preCommit1(tools, { ...pc1, pieces: [{ Size: 2048, PieceCID: unsealedCid('77'.repeat(32)) }] })
  t.deepEqual(executor.found, [])
})

test('PC1 is recorded as done only when all that it makes is on the disk', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  Object.assign(executor, { preCommit1: async () => Buffer.from('"output of PC1"') })
  await t.throwsAsync(preCommit1(tools, pc1), { code: 'ENOENT' })
  t.is((await storage.records.get(SECTOR.ID, PATH_ID))?.phase, 'pc1-started')
})

test('PC1 trusts no layers that nobody recorded', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  await layForeignCache(storage, 'pc1')
  await preCommit1(tools, pc1)
  t.deepEqual(executor.found, [])
})

test('a PC1 that broke off goes on from its whole layers; tree-d is made again', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  executor.breakAfter.set('preCommit1', 2)
  await t.throwsAsync(preCommit1(tools, pc1), { code: 'CHILD_DIED' })
  t.is((await storage.records.get(SECTOR.ID, PATH_ID))?.phase, 'pc1-started')
  await writeFile(join(storage.file('cache'), `${LAYERS[1]}..tmp`), 'half a layer')

  executor.breakAfter.clear()
  await preCommit1(tools, pc1)
  t.deepEqual(executor.found, [LAYERS[0]])
})

test('killed while the old cache is being emptied, PC1 empties it again', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  await preCommit1(tools, pc1)
  // The record goes first and the new one comes last: this is the state in between.
  await storage.records.remove(SECTOR.ID, PATH_ID)
  await preCommit1(tools, { ...pc1, ticket: OTHER_TICKET })
  t.deepEqual(executor.found, [])
})

test('PC2 is never run over its own leftovers: PC1 comes first, with the layers skipped', async (t) => {
  const { storage, executor, tools, events } = await tasksAtHand(t)
  await layUnsealed(storage)
  await preCommit1(tools, pc1)
  executor.breakAfter.set('preCommit2', 5)
  await t.throwsAsync(preCommit2(tools, pc2), { code: 'CHILD_DIED' })
  t.is((await storage.records.get(SECTOR.ID, PATH_ID))?.phase, 'pc2-started')

  executor.breakAfter.clear()
  events.length = 0
  t.deepEqual(await preCommit2(tools, pc2), c1.cids)
  t.deepEqual(
    events.filter((event) => event.startsWith('run')),
    ['run preCommit1', 'run preCommit2'],
  )
  const again = executor.tasks.at(-2)
  t.is(again?.name, 'preCommit1')
  t.deepEqual(again?.task.ticket, '11'.repeat(32), 'with the recorded ticket')
  t.deepEqual(again?.task.pieces, [{ commitment: '44'.repeat(32), paddedBytes: 2048 }])
  t.is(again?.task.unsealed, storage.file('unsealed'))
  t.deepEqual(executor.found, [...LAYERS, 'sc-02-data-tree-d.dat'], 'PC2 found what PC1 leaves, nothing else')
})

test('a PC2 that is done and asked for again is done again from PC1', async (t) => {
  const { storage, tools, events } = await tasksAtHand(t)
  await layUnsealed(storage)
  await preCommit1(tools, pc1)
  await preCommit2(tools, pc2)
  events.length = 0
  await preCommit2(tools, pc2)
  t.deepEqual(
    events.filter((event) => event.startsWith('run')),
    ['run preCommit1', 'run preCommit2'],
  )
})

test('a PC2 to repair without the unsealed copy fails and leaves the cache as it is', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  await preCommit1(tools, pc1)
  executor.breakAfter.set('preCommit2', 5)
  await t.throwsAsync(preCommit2(tools, pc2))
  await storage.remove(SECTOR.ID, 'unsealed')
  const before = await readdir(storage.file('cache'))
  await t.throwsAsync(preCommit2(tools, pc2), { code: 'NOT_FOUND' })
  t.deepEqual(await readdir(storage.file('cache')), before)
  t.is((await storage.records.get(SECTOR.ID, PATH_ID))?.phase, 'pc2-started')
})

test('a cache from elsewhere is taken for PC2 once; after that its origin is not known', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  await layForeignCache(storage, 'pc1')
  executor.breakAfter.set('preCommit2', 5)
  await t.throwsAsync(preCommit2(tools, pc2), { code: 'CHILD_DIED' })
  t.deepEqual(await storage.records.get(SECTOR.ID, PATH_ID), { ticket: '', pieces: [], phase: 'pc2-started' })

  executor.breakAfter.clear()
  const error = await t.throwsAsync(preCommit2(tools, pc2), { code: 'CACHE_UNUSABLE' })
  t.regex(error?.message ?? '', /ticket and pieces .* not known/)
})

test('PC2 takes the output it is given where PC1 is done', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layForeignCache(storage, 'pc1')
  await preCommit2(tools, { ...pc2, phase1Output: Buffer.from('{"from":"afar"}').toString('base64') })
  t.is(Buffer.from(executor.last('preCommit2').phase1Output as Uint8Array).toString(), '{"from":"afar"}')
  t.is((await storage.records.get(SECTOR.ID, PATH_ID))?.phase, 'pc2')
})

test('C1 over layers of another ticket is refused before it starts', async (t) => {
  const { storage, tools, events } = await tasksAtHand(t)
  await layUnsealed(storage)
  await preCommit1(tools, pc1)
  await preCommit2(tools, pc2)
  await t.throwsAsync(commit1(tools, { ...c1, ticket: OTHER_TICKET }), { code: 'CACHE_UNUSABLE' })
  t.false(events.includes('run commit1'))
})

test('FIN trims nothing while PC2 has not ended', async (t) => {
  const { storage, executor, tools, events } = await tasksAtHand(t)
  await layUnsealed(storage)
  await preCommit1(tools, pc1)
  executor.breakAfter.set('preCommit2', 100)
  await preCommit2(tools, pc2)
  await storage.records.setPhase(SECTOR.ID, PATH_ID, 'pc2-started')
  await t.throwsAsync(finalize(tools, SECTOR), { code: 'CACHE_UNUSABLE' })
  t.false(events.includes('run finalize'))
})

test('a FIN after which layers are left is a failure and is not recorded', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layForeignCache(storage, 'pc2')
  Object.assign(executor, { finalize: async () => undefined })
  await t.throwsAsync(finalize(tools, SECTOR), { code: 'CACHE_UNUSABLE' })
  t.is(await storage.records.get(SECTOR.ID, PATH_ID), null)
})

test('a result is known to nobody before the files are declared', async (t) => {
  const { storage, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  storage.releaseFailure = new Error('the index does not answer')
  await t.throwsAsync(preCommit1(tools, pc1), { message: /index does not answer/ })
})

test("a failing task's own error is told, not that of the release after it", async (t) => {
  const { storage, executor, tools, events } = await tasksAtHand(t)
  await layUnsealed(storage)
  executor.breakAfter.set('preCommit1', 1)
  storage.releaseFailure = new Error('the index does not answer')
  await t.throwsAsync(preCommit1(tools, pc1), { code: 'CHILD_DIED' })
  t.is(events.at(-1), 'release PC1')
})

test('a PC1 that broke off before the machine was started anew is made from the beginning', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  executor.breakAfter.set('preCommit1', 2)
  await t.throwsAsync(preCommit1(tools, pc1), { code: 'CHILD_DIED' })

  executor.breakAfter.clear()
  Object.assign(storage.records, { isOfThisBoot: async () => false })
  await preCommit1(tools, pc1)
  t.deepEqual(executor.found, [], 'a layer that was never synced may have its length and no content')
})
