import test from 'ava'
import fc from 'fast-check'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { FilesystemView, Reservation, SpaceRequest } from '../../src/protocol/types.ts'
import { RememberedReservations } from '../../src/storage/reservation-store.ts'
import { SpaceAccount } from '../../src/storage/space-account.ts'

/** Paths a and b share one filesystem, c is alone. */
const FILESYSTEM_OF: Readonly<Record<string, string>> = { a: 'first', b: 'first', c: 'second' }
const FREE_BYTES = 1000

function views(landedBytes: Readonly<Record<string, number>> = {}): FilesystemView[] {
  return Object.entries(FILESYSTEM_OF).map(([pathId, filesystem]) => ({
    pathId,
    machine: 'machine',
    filesystem,
    capacityBytes: FREE_BYTES,
    availableBytes: FREE_BYTES - (landedBytes[filesystem] ?? 0),
    maxBytes: 0,
    usedBytes: 0,
  }))
}

function requestOf(entries: readonly { id: string; pathId: string; bytes: number }[]): SpaceRequest {
  return {
    owner: 'node',
    task: 'PC1',
    sector: { Miner: 1000, Number: 1 },
    entries: entries.map(({ id, pathId, bytes }) => ({
      id,
      pathId,
      fileType: 2,
      neededBytes: bytes,
      reportedBytes: bytes,
      onDiskBytes: 0,
    })),
    filesystems: views(),
  }
}

function newAccount(floorBytes = 0) {
  return new SpaceAccount({
    store: new RememberedReservations(),
    clock: new FakeClock(),
    log: silentLogger,
    floorBytes,
  })
}

test('reserves for all entries or for none', async (t) => {
  const account = newAccount()
  const answer = await account.SpaceReserve(
    requestOf([
      { id: '1', pathId: 'a', bytes: 400 },
      { id: '2', pathId: 'b', bytes: 601 },
    ]),
  )
  t.is(answer.outcome, 'refused')
  t.deepEqual(await account.SpaceReservations(), [])
})

test('two paths on one filesystem share its space', async (t) => {
  const account = newAccount()
  t.is((await account.SpaceReserve(requestOf([{ id: '1', pathId: 'a', bytes: 600 }]))).outcome, 'granted')
  t.is((await account.SpaceReserve(requestOf([{ id: '2', pathId: 'b', bytes: 600 }]))).outcome, 'refused')
  t.is((await account.SpaceReserve(requestOf([{ id: '3', pathId: 'c', bytes: 600 }]))).outcome, 'granted')
})

test('the same entry asked for again replaces itself, and is given back once', async (t) => {
  const account = newAccount()
  for (let time = 0; time < 3; time++) {
    t.is((await account.SpaceReserve(requestOf([{ id: '1', pathId: 'a', bytes: 700 }]))).outcome, 'granted')
  }
  t.is((await account.SpaceReservations()).length, 1)
  await account.SpaceRelease(['1'])
  await account.SpaceRelease(['1', 'unknown'])
  t.is((await account.SpaceReserve(requestOf([{ id: '2', pathId: 'a', bytes: 1000 }]))).outcome, 'granted')
})

test('the floor is never handed out', async (t) => {
  const account = newAccount(100)
  t.is((await account.SpaceReserve(requestOf([{ id: '1', pathId: 'c', bytes: 901 }]))).outcome, 'refused')
  t.is((await account.SpaceReserve(requestOf([{ id: '1', pathId: 'c', bytes: 900 }]))).outcome, 'granted')
})

test('a path whose disk moved to another machine does not join the space of both for ever', async (t) => {
  const clock = new FakeClock()
  const account = new SpaceAccount({
    store: new RememberedReservations(),
    clock,
    log: silentLogger,
    floorBytes: 0,
  })
  const look = (pathId: string, machine: string, availableBytes: number) => {
    const [view] = views()
    return { ...view!, pathId, machine, filesystem: `disk of ${pathId}`, availableBytes }
  }
  const shelf = (pathId: string, machine: string, availableBytes: number) => ({
    ...look(pathId, machine, availableBytes),
    filesystem: 'shelf',
  })
  await account.SpaceLanded([], [shelf('moving', 'one', 1000), shelf('stays', 'one', 1000)])
  const goOn = async (ms: number) => {
    await clock.advance(ms)
    await account.SpaceLanded([], [shelf('stays', 'one', 1000)])
    await account.SpaceLanded([], [look('moving', 'two', 300)])
  }
  const reserve = (id: string, bytes: number) =>
    account.SpaceReserve({
      ...requestOf([{ id, pathId: 'stays', bytes }]),
      filesystems: [shelf('stays', 'one', 1000)],
    })
  const filled = async () => {
    const { entries } = requestOf([{ id: 'other', pathId: 'moving', bytes: 300 }])
    const filesystems = [look('moving', 'two', 300)]
    return (await account.SpaceReserve({ ...requestOf([]), entries, filesystems })).outcome
  }
  await goOn(10_000)
  t.is(await filled(), 'granted')
  t.is((await reserve('1', 1000)).outcome, 'refused', 'so far one look may be as true as the other')
  await goOn(51_000)
  t.is((await reserve('1', 1000)).outcome, 'granted')
})

type Step =
  | { readonly do: 'reserve'; readonly entries: readonly { id: string; pathId: string; bytes: number }[] }
  | { readonly do: 'land'; readonly id: string; readonly percent: number }
  | { readonly do: 'release'; readonly ids: readonly string[] }

const ids = fc.constantFrom('1', '2', '3', '4', '5', '6')
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('reserve' as const),
    entries: fc.uniqueArray(
      fc.record({ id: ids, pathId: fc.constantFrom('a', 'b', 'c'), bytes: fc.integer({ min: 0, max: 700 }) }),
      { minLength: 1, maxLength: 3, selector: (entry) => entry.id },
    ),
  }),
  fc.record({ do: fc.constant('land' as const), id: ids, percent: fc.integer({ min: 0, max: 130 }) }),
  fc.record({ do: fc.constant('release' as const), ids: fc.array(ids, { maxLength: 3 }) }),
)

/** What each filesystem owes: promised and not yet landed. */
function owed(held: readonly Reservation[]): Record<string, number> {
  const sums: Record<string, number> = { first: 0, second: 0 }
  for (const each of held) {
    const filesystem = FILESYSTEM_OF[each.pathId] ?? ''
    sums[filesystem] = (sums[filesystem] ?? 0) + Math.max(0, each.neededBytes - each.onDiskBytes)
  }
  return sums
}

test('whatever is reserved, landed and released: never more than there is, nothing left over, nothing lost', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const account = newAccount()
      for (const each of steps) {
        const before = await account.SpaceReservations()
        if (each.do === 'release') await account.SpaceRelease([...each.ids])
        if (each.do === 'land') {
          const known = before.find((reservation) => reservation.id === each.id)
          const onDiskBytes = Math.round(((known?.neededBytes ?? 0) * each.percent) / 100)
          await account.SpaceLanded([{ id: each.id, onDiskBytes }], views())
        }
        if (each.do === 'reserve') {
          const answer = await account.SpaceReserve(requestOf(each.entries))
          const after = await account.SpaceReservations()
          if (answer.outcome === 'refused') t.deepEqual(after, before)
          else {
            for (const entry of each.entries)
              t.is(after.find(({ id }) => id === entry.id)?.neededBytes, entry.bytes)
            const sums = owed(after)
            t.true(each.entries.every(({ pathId }) => (sums[FILESYSTEM_OF[pathId] ?? ''] ?? 0) <= FREE_BYTES))
          }
        }
      }
      await account.SpaceRelease((await account.SpaceReservations()).map(({ id }) => id))
      t.deepEqual(await account.SpaceReservations(), [])
      const all = requestOf([
        { id: 'x', pathId: 'a', bytes: FREE_BYTES },
        { id: 'y', pathId: 'c', bytes: FREE_BYTES },
      ])
      t.is((await account.SpaceReserve(all)).outcome, 'granted', 'no drift')
    }),
    { numRuns: 100 },
  )
})
