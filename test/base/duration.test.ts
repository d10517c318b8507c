import { fc, testProp } from '@fast-check/ava'
import test from 'ava'
import { formatDuration, msToNs, nsToMs, parseDuration } from '../../src/base/duration.ts'

const PRINTED: readonly [number, string][] = [
  [0, '0s'],
  [0.000001, '1ns'],
  [0.8, '800µs'],
  [1.1, '1.1ms'],
  [1500, '1.5s'],
  [60_000, '1m0s'],
  [8_043_200, '2h14m3.2s'],
  [3_600_000, '1h0m0s'],
  [-1.1, '-1.1ms'],
]

test('prints durations as Go does', (t) => {
  for (const [ms, text] of PRINTED) t.is(formatDuration(ms), text)
})

test('reads the durations it prints and the other forms Go takes', (t) => {
  for (const [ms, text] of PRINTED) t.is(parseDuration(text), ms, text)
  for (const [text, ms] of [
    ['0', 0],
    ['1.5h', 5_400_000],
    ['+5m', 300_000],
    ['800us', 0.8],
    ['.5s', 500],
  ] as const) {
    t.is(parseDuration(text), ms, text)
  }
})

test('refuses what is no duration', (t) => {
  for (const text of ['', '5', 's', '1d', '1m 2s', 'forever']) {
    t.throws(() => parseDuration(text), { code: 'BAD_DURATION' }, text)
  }
})

testProp('reads back every duration it prints', [fc.integer({ min: -1e15, max: 1e15 })], (t, ns) => {
  t.is(msToNs(parseDuration(formatDuration(nsToMs(ns)))), ns)
})
