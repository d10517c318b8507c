import test from 'ava'
import { taskOfMethod, trackedWork } from '../../src/scheduler/work-key.ts'

const SECTOR = { Miner: 1005, Number: 7 }

test('short work is known by its method and parameters', (t) => {
  const work = trackedWork('SealPreCommit2', SECTOR, [{ ID: SECTOR }, 'cGMx'])
  t.is(work.key, 'SealPreCommit2([{"ID":{"Miner":1005,"Number":7}},"cGMx"])')
  t.is(work.params, '[{"ID":{"Miner":1005,"Number":7}},"cGMx"]')
})

test('long work is known by a hash, and its parameters are not kept', (t) => {
  const long = (byte: string) => trackedWork('SealCommit2', SECTOR, [byte.repeat(10_000)])
  t.regex(long('a').key, /^[0-9a-f]{64}$/)
  t.is(long('a').key, long('a').key)
  t.not(long('a').key, long('b').key)
  t.true(long('a').params.length < 100)
})

test('the same parameters for another method are other work', (t) => {
  const params = ['x'.repeat(300)]
  t.not(trackedWork('SealPreCommit2', SECTOR, params).key, trackedWork('SealCommit2', SECTOR, params).key)
})

test('each tracked method has its task; an older version’s method has none', (t) => {
  t.is(taskOfMethod('SealCommit1'), 'seal/v0/commit/1')
  t.is(taskOfMethod('toString'), '')
  t.is(taskOfMethod('DataCid'), '')
})
