import test from 'ava'
import { percentile, summarize, summarizeRatios } from '../../src/bench/statistics.ts'

test('the middle of an even number of rounds lies between two', (t) => {
  t.deepEqual(summarize([3, 1, 2]), { median: 2, min: 1, max: 3 })
  t.deepEqual(summarize([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 })
  t.deepEqual(summarize([7]), { median: 7, min: 7, max: 7 })
})

test('ratios are taken round by round, so a disk that slows down does not count', (t) => {
  t.deepEqual(summarizeRatios([2, 4, 8], [1, 2, 4]), { median: 2, min: 2, max: 2 })
})

test('a round too short to be measured gives no ratio instead of an infinite one', (t) => {
  t.is(summarizeRatios([0.01, 0.02], [0, 0.01]), null)
  t.is(summarizeRatios([0], [0]), null)
  t.is(summarizeRatios([1, 2], [1]), null)
})

test('a percentile is a value that was seen, and the hundredth is the greatest', (t) => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at)
  t.is(percentile(hundred, 50), 50)
  t.is(percentile(hundred, 99), 99)
  t.is(percentile(hundred, 100), 100)
  t.is(percentile([7], 1), 7)
})
