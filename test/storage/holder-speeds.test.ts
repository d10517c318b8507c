import test from 'ava'
import { HolderSpeeds, isWorthLeaving } from '../../src/storage/holder-speeds.ts'

const slow = { bytesPerSecond: 10, leftBytes: 900, totalBytes: 1000 }

test('a slow holder is left only for one that is expected to be done in half the time', (t) => {
  t.false(isWorthLeaving({ ...slow, others: [] }))
  t.false(isWorthLeaving({ ...slow, others: [null] }), 'nothing is known of it')
  t.false(isWorthLeaving({ ...slow, others: [20] }), '50 s for all of it, 90 s for the rest here')
  t.false(isWorthLeaving({ ...slow, others: [22] }))
  t.true(isWorthLeaving({ ...slow, others: [null, 23] }))
  t.false(isWorthLeaving({ ...slow, leftBytes: 10, others: [23] }), 'it is nearly done')
})

test('a holder that gives nothing is left for any that gives something', (t) => {
  t.true(isWorthLeaving({ ...slow, bytesPerSecond: 0, others: [1] }))
  t.false(isWorthLeaving({ ...slow, bytesPerSecond: 0, others: [0, null] }))
})

test('a node is expected to give what it gave last, or what the others of the cluster give', (t) => {
  const speeds = new HolderSpeeds()
  t.is(speeds.expected('a', 'b'), null)
  speeds.note('b', 5)
  t.is(speeds.expected('a', 'b'), null, 'the slow one itself is no measure')
  for (const [host, speed] of [
    ['c', 100],
    ['d', 300],
    ['e', 200],
  ] as const)
    speeds.note(host, speed)
  t.is(speeds.expected('a', 'b'), 200)
  speeds.note('a', 7)
  t.is(speeds.expected('a', 'b'), 7)
})
