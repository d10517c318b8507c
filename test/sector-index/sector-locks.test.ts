import test from 'ava'
import { SectorLockTable } from '../../src/sector-index/sector-locks.ts'

const sector = { Miner: 1000, Number: 7 }
const U = 1
const S = 2
const C = 4

/** [held read, held write, wanted read, wanted write, may] */
const CASES: readonly [string, number, number, number, number, boolean][] = [
  ['a read beside a read of the same type', U, 0, U, 0, true],
  ['no write beside a read of the same type', U, 0, 0, U, false],
  ['a write beside a read of another type', U, 0, 0, S, true],
  ['no read beside a write of the same type', 0, U, U, 0, false],
  ['no write beside a write of the same type', 0, U, 0, U, false],
  ['a read beside a write of another type', 0, U, S, 0, true],
  ['nothing of a request when one type of it conflicts', U, S | C, 0, U, false],
  ['nothing of a combined request when its read conflicts', U, S | C, S, 0, false],
  ['a combined request of other types', U, S, U, C, true],
]

for (const [title, heldRead, heldWrite, read, write, may] of CASES) {
  test(`allows ${title}`, (t) => {
    const locks = new SectorLockTable()
    locks.tryHold(sector, heldRead, heldWrite)
    t.is(locks.tryHold(sector, read, write) !== null, may)
  })
}

test('locks and unlocks six times in a row without waiting', async (t) => {
  const locks = new SectorLockTable()
  for (const [read, write] of [
    [U, 0],
    [0, U],
    [U | S, C],
    [C, U],
    [0, U | S | C],
    [U, 0],
  ] as const) {
    const release = await locks.hold(sector, read, write)
    release()
  }
  t.deepEqual(locks.list(), { Locks: [] })
})

const BLOCKED: readonly [string, number, number, number, number][] = [
  ['a read blocks a write', U, 0, 0, U],
  ['a write blocks a read', 0, U, U, 0],
  ['a write blocks a write', 0, U, 0, U],
  ['a write blocks a combined request', 0, U, S, U],
]

for (const [title, heldRead, heldWrite, read, write] of BLOCKED) {
  test(`${title} until it is released`, async (t) => {
    const locks = new SectorLockTable()
    const first = await locks.hold(sector, heldRead, heldWrite)
    let second: (() => void) | null = null
    const waiting = locks.hold(sector, read, write).then((release) => {
      second = release
    })
    await new Promise((resolve) => setTimeout(resolve, 40))
    t.is(second, null)
    first()
    await waiting
    t.is(typeof second, 'function')
  })
}

test('a writer that waits is not starved by readers that come later', async (t) => {
  const locks = new SectorLockTable()
  const order: string[] = []
  const reader = await locks.hold(sector, U, 0)
  const writing = locks.hold(sector, 0, U).then((release) => {
    order.push('writer')
    release()
  })
  const reading = locks.hold(sector, U, 0).then((release) => {
    order.push('late reader')
    release()
  })
  reader()
  await Promise.all([writing, reading])
  t.deepEqual(order, ['writer', 'late reader'])
})

test('who gives up waiting leaves nothing behind and lets the next one pass', async (t) => {
  const locks = new SectorLockTable()
  const reader = await locks.hold(sector, U, 0)
  const givingUp = new AbortController()
  const writing = locks.hold(sector, 0, U, givingUp.signal)
  const reading = locks.hold(sector, U, 0)
  givingUp.abort(new Error('enough'))
  await t.throwsAsync(writing, { message: 'enough' })
  const second = await reading
  second()
  reader()
  t.deepEqual(locks.list(), { Locks: [] })
})

test('releasing twice counts once', async (t) => {
  const locks = new SectorLockTable()
  const first = await locks.hold(sector, U, 0)
  const second = await locks.hold(sector, U, 0)
  first()
  first()
  t.is(locks.tryHold(sector, 0, U), null)
  t.deepEqual(locks.list(), {
    Locks: [{ Sector: sector, Write: [0, 0, 0, 0, 0, 0], Read: [1, 0, 0, 0, 0, 0] }],
  })
  second()
  t.not(locks.tryHold(sector, 0, U), null)
})
