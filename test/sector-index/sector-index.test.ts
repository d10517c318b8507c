import test from 'ava'
import { isSealyardError } from '../../src/base/errors.ts'
import { fsStat, indexAtHand, pathInfo, TIB } from './index-at-hand.ts'

const sector = { Miner: 1000, Number: 7 }
const SIZE = 32 * 2 ** 30
const CACHE = 4
const SEALED = 2
const UNSEALED = 1

const ids = (found: readonly { ID: string }[]) => found.map((each) => each.ID)

test('finds the one holder, and with allowFetch a second seal path', async (t) => {
  const { index } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1'), fsStat(4 * TIB))
  await index.StorageAttach(pathInfo('p2'), fsStat(4 * TIB))
  await index.StorageDeclareSector('p1', sector, UNSEALED, true)
  const found = await index.StorageFindSector(sector, UNSEALED, SIZE, false)
  t.deepEqual(found, [
    {
      ID: 'p1',
      URLs: ['http://p1:3456/remote/unsealed/s-t01000-7'],
      BaseURLs: ['http://p1:3456/remote'],
      Weight: 10,
      CanSeal: true,
      CanStore: true,
      Primary: true,
      AllowTypes: [],
      DenyTypes: [],
      AllowMiners: [],
      DenyMiners: [],
    },
  ])
  const more = await index.StorageFindSector(sector, UNSEALED, SIZE, true)
  t.deepEqual(
    more.map((each) => [each.ID, each.Weight]),
    [
      ['p1', 10],
      ['p2', 0],
    ],
  )
})

test('a holder whose AllowTo names a group that no path has keeps its files', async (t) => {
  const { index } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1', { AllowTo: ['nobody'] }), fsStat(4 * TIB))
  await index.StorageAttach(pathInfo('p2'), fsStat(4 * TIB))
  await index.StorageDeclareSector('p1', sector, UNSEALED, true)
  t.deepEqual(ids(await index.StorageFindSector(sector, UNSEALED, SIZE, true)), ['p1'])
})

test('a holder whose AllowTo names a group offers its files to that group alone', async (t) => {
  const { index } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1', { AllowTo: ['g'] }), fsStat(4 * TIB))
  await index.StorageAttach(pathInfo('p2', { Groups: ['g'] }), fsStat(4 * TIB))
  await index.StorageAttach(pathInfo('p3'), fsStat(4 * TIB))
  await index.StorageDeclareSector('p1', sector, UNSEALED, true)
  t.deepEqual(ids(await index.StorageFindSector(sector, UNSEALED, SIZE, true)), ['p1', 'p2'])
})

test('one holder open to all lifts the restriction of the others', async (t) => {
  const { index } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1', { AllowTo: ['g'] }), fsStat(4 * TIB))
  await index.StorageAttach(pathInfo('p2'), fsStat(4 * TIB))
  await index.StorageAttach(pathInfo('p3'), fsStat(4 * TIB))
  await index.StorageDeclareSector('p1', sector, SEALED, true)
  await index.StorageDeclareSector('p2', sector, CACHE, true)
  t.deepEqual(ids(await index.StorageFindSector(sector, SEALED | CACHE, SIZE, true)), ['p1', 'p2', 'p3'])
})

test('weight counts once for each type that a path holds', async (t) => {
  const { index } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1'), fsStat(4 * TIB))
  await index.StorageDeclareSector('p1', sector, SEALED | CACHE, false)
  const [found] = await index.StorageFindSector(sector, SEALED | CACHE, SIZE, false)
  t.is(found?.Weight, 20)
})

const ALLOCATIONS = [
  { title: 'a path with both uses is found for sealing', bits: 6, kind: 'sealing', miner: 1001, good: true },
  { title: 'a path with both uses is found for storage', bits: 6, kind: 'storage', miner: 1001, good: true },
  { title: 'a miner that is not allowed finds none', bits: 6, kind: 'sealing', miner: 1002, good: false },
  {
    title: 'a sector that is too big finds none',
    bits: 6,
    kind: 'sealing',
    miner: 1001,
    good: false,
    tooBig: true,
  },
  {
    title: 'an older caller that does not name its miner is not filtered',
    bits: 6,
    kind: 'storage',
    miner: 0,
    good: true,
  },
] as const

for (const each of ALLOCATIONS) {
  test(`best alloc: ${each.title}`, async (t) => {
    const { index } = await indexAtHand(t)
    await index.StorageAttach(pathInfo('p1', { AllowMiners: ['t01001'] }), fsStat(TIB))
    const size = 'tooBig' in each ? 64 * SIZE : SIZE
    const allocating = index.StorageBestAlloc(each.bits, size, each.kind, each.miner)
    if (each.good) {
      t.deepEqual(ids(await allocating), ['p1'])
    } else {
      const error = await t.throwsAsync(allocating, { message: /^no good path found/ })
      t.true(isSealyardError(error, 'NO_GOOD_PATH'))
    }
  })
}

test('best alloc ranks by free space times weight; weight 0 is last and still there', async (t) => {
  const { index } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('readonly', { Weight: 0 }), fsStat(8 * TIB))
  await index.StorageAttach(pathInfo('light', { Weight: 1 }), fsStat(4 * TIB))
  await index.StorageAttach(pathInfo('heavy', { Weight: 10 }), fsStat(2 * TIB))
  t.deepEqual(ids(await index.StorageBestAlloc(6, SIZE, 'sealing', 1000)), ['heavy', 'light', 'readonly'])
})

test('a path without a heartbeat for 50 s is a holder, and nothing else', async (t) => {
  const { index, clock } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1'), fsStat(4 * TIB))
  await index.StorageDeclareSector('p1', sector, SEALED, true)
  await clock.advance(50_001)
  await t.throwsAsync(index.StorageBestAlloc(6, SIZE, 'sealing', 1000))
  t.deepEqual(ids(await index.StorageFindSector(sector, SEALED, SIZE, false)), ['p1'])
  await index.StorageReportHealth('p1', { Stat: fsStat(4 * TIB), Err: '' })
  t.deepEqual(ids(await index.StorageBestAlloc(6, SIZE, 'sealing', 1000)), ['p1'])
})

test('a path that reports an error takes nothing until it reports none', async (t) => {
  const { index } = await indexAtHand(t)
  let changes = 0
  index.onChange(() => changes++)
  await index.StorageAttach(pathInfo('p1'), fsStat(4 * TIB))
  await index.StorageReportHealth('p1', { Stat: fsStat(4 * TIB), Err: 'read-only file system' })
  t.is(index.view().paths[0]?.unusable, 'it reports: read-only file system')
  await t.throwsAsync(index.StorageBestAlloc(6, SIZE, 'sealing', 1000))
  await index.StorageReportHealth('p1', { Stat: fsStat(4 * TIB), Err: '' })
  t.deepEqual(ids(await index.StorageBestAlloc(6, SIZE, 'sealing', 1000)), ['p1'])
  t.is(changes, 3)
})

test('a shared path has one ID and two URLs; it goes with the last of them', async (t) => {
  const { index } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1', { URLs: ['http://a/remote'] }), fsStat(TIB))
  await index.StorageAttach(pathInfo('p1', { URLs: ['http://b/remote'], Weight: 8 }), fsStat(TIB))
  await index.StorageDeclareSector('p1', sector, SEALED, true)
  const info = await index.StorageInfo('p1')
  t.deepEqual([info.URLs, info.Weight], [['http://a/remote', 'http://b/remote'], 8])
  await index.StorageDetach('p1', 'http://a/remote')
  t.deepEqual((await index.StorageInfo('p1')).URLs, ['http://b/remote'])
  await t.throwsAsync(index.StorageDetach('p1', 'http://a/remote'), {
    message:
      "not dropping path, requested and index urls don't match ('http://a/remote' != 'http://b/remote')",
  })
  await index.StorageDetach('p1', 'http://b/remote')
  t.deepEqual(await index.StorageList(), {})
  t.deepEqual(await index.StorageFindSector(sector, SEALED, SIZE, false), [])
})

test('primary is raised and never lowered', async (t) => {
  const { index, restart } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1'), fsStat(TIB))
  await index.StorageDeclareSector('p1', sector, SEALED, true)
  await index.StorageDeclareSector('p1', sector, SEALED, false)
  t.true((await index.StorageFindSector(sector, SEALED, SIZE, false))[0]?.Primary)
  const again = await restart()
  t.true((await again.StorageFindSector(sector, SEALED, SIZE, false))[0]?.Primary)
})

test('refuses a declaration, a report and a question for a path that nobody attached', async (t) => {
  const { index } = await indexAtHand(t)
  await t.throwsAsync(index.StorageDeclareSector('p9', sector, SEALED, true), { message: /isn't registered/ })
  await t.throwsAsync(index.StorageReportHealth('p9', { Stat: fsStat(1), Err: '' }), {
    message: 'health report for unknown storage: p9',
  })
  await t.throwsAsync(index.StorageInfo('p9'), { message: /^sector store not found/ })
  t.deepEqual(await index.StorageList(), {})
})

test('filters that name unknown file types are dropped', async (t) => {
  const { index } = await indexAtHand(t)
  await index.StorageAttach(
    pathInfo('p1', { AllowTypes: ['sealed', 'nonsense'], DenyTypes: ['x'] }),
    fsStat(TIB),
  )
  const info = await index.StorageInfo('p1')
  t.deepEqual([info.AllowTypes, info.DenyTypes], [['sealed'], []])
})

test('after a restart holders are known, and nothing is placed before a node has spoken', async (t) => {
  const { index, restart } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1'), fsStat(4 * TIB))
  await index.StorageAttach(pathInfo('p2'), fsStat(4 * TIB))
  for (let number = 0; number < 300; number++) {
    await index.StorageDeclareSector('p1', { Miner: 1000, Number: number }, SEALED | CACHE, true)
  }
  await index.StorageDropSector('p1', { Miner: 1000, Number: 299 }, SEALED | CACHE)
  await index.StorageDropSector('p1', { Miner: 1000, Number: 298 }, CACHE)
  const again = await restart()
  const listed = await again.StorageList()
  t.deepEqual(Object.keys(listed), ['p1', 'p2'])
  t.is(listed['p1']?.length, 299)
  t.deepEqual(listed['p1']?.at(-1), { Miner: 1000, Number: 298, SectorFileType: SEALED })
  await t.throwsAsync(again.StorageBestAlloc(6, SIZE, 'sealing', 1000))
  await again.StorageAttach(pathInfo('p1'), fsStat(4 * TIB))
  t.deepEqual(ids(await again.StorageBestAlloc(6, SIZE, 'sealing', 1000)), ['p1'])
})

test('a URL of an earlier run is forgotten once its node came back under another', async (t) => {
  const { index, restart, clock } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1', { URLs: ['http://old/remote'] }), fsStat(TIB))
  const again = await restart()
  await again.StorageAttach(pathInfo('p1', { URLs: ['http://new/remote'] }), fsStat(TIB))
  t.deepEqual((await again.StorageInfo('p1')).URLs, ['http://old/remote', 'http://new/remote'])
  await clock.advance(50_001)
  t.deepEqual((await again.StorageInfo('p1')).URLs, ['http://new/remote'])
})

test('a path leaves with its last living URL, whatever URLs an earlier run of the sealer knew', async (t) => {
  const { index, restart, clock } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1', { URLs: ['http://old/remote'] }), fsStat(TIB))
  const again = await restart()
  await again.StorageAttach(pathInfo('p1', { URLs: ['http://new/remote'] }), fsStat(TIB))
  await clock.advance(50_001)
  await again.StorageDetach('p1', 'http://new/remote')
  t.deepEqual(await again.StorageList(), {})
  t.deepEqual(await (await restart()).StorageList(), {})
})

test('a shared path stays while a node of an earlier run may still come back', async (t) => {
  const { index, restart, clock } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1', { URLs: ['http://a/remote', 'http://b/remote'] }), fsStat(TIB))
  const again = await restart()
  await again.StorageAttach(pathInfo('p1', { URLs: ['http://a/remote'] }), fsStat(TIB))
  await again.StorageDetach('p1', 'http://a/remote')
  t.deepEqual((await again.StorageInfo('p1')).URLs, ['http://b/remote'])
  await again.StorageAttach(pathInfo('p1', { URLs: ['http://b/remote'] }), fsStat(TIB))
  await clock.advance(50_001)
  t.deepEqual((await again.StorageInfo('p1')).URLs, ['http://b/remote'])
})

test('a thousand declarations at once are all there after a restart', async (t) => {
  const { index, restart } = await indexAtHand(t)
  await index.StorageAttach(pathInfo('p1'), fsStat(TIB))
  await Promise.all(
    Array.from({ length: 1000 }, (_, number) =>
      index.StorageDeclareSector('p1', { Miner: 1000, Number: number }, SEALED, true),
    ),
  )
  const again = await restart()
  t.is((await again.StorageList())['p1']?.length, 1000)
})
