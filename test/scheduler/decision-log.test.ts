import test from 'ava'
import type { Decision } from '../../src/protocol/types.ts'
import { DecisionLog } from '../../src/scheduler/decision-log.ts'

function decision(request: string, chosen: number | null = null): Decision {
  const sector = { Miner: 1005, Number: 1 }
  return { at: '2026-01-01T00:00:00.000Z', request, sector, task: 'seal/v0/fetch', windows: [], chosen }
}

test('a request that waits has one line, and comes last when it was given away', (t) => {
  const log = new DecisionLog()
  log.note([decision('a'), decision('b')])
  log.note([decision('a'), decision('b')])
  t.deepEqual(
    log.list().map((each) => each.request),
    ['a', 'b'],
  )
  log.note([decision('a', 3)])
  t.deepEqual(
    log.list().map((each) => [each.request, each.chosen]),
    [
      ['b', null],
      ['a', 3],
    ],
  )
})

test('the oldest go when there are many', (t) => {
  const log = new DecisionLog()
  for (let request = 0; request < 1000; request++) log.note([decision(String(request), 0)])
  const kept = log.list()
  t.true(kept.length < 1000)
  t.is(kept.at(-1)?.request, '999')
})
