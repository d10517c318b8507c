import { fc, testProp } from '@fast-check/ava'
import test from 'ava'
import { formatBytes, parseBytes } from '../../src/base/bytes.ts'

const PRINTED: readonly [number, string][] = [
  [0, '0 B'],
  [1, '1 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [2048, '2 KiB'],
  [484_472_310_988, '451.2 GiB'],
  [518_832_049_356, '483.2 GiB'],
  [Math.round(1.072 * 1024 ** 4), '1.072 TiB'],
  [34_359_738_368, '32 GiB'],
  [1024 ** 4 - 1, '1024 GiB'],
  [-2048, '-2 KiB'],
]

test('prints four significant digits and a binary unit, as lotus does', (t) => {
  for (const [bytes, text] of PRINTED) t.is(formatBytes(bytes), text)
})

const READ: readonly [string, number][] = [
  ['1TiB', 1024 ** 4],
  ['1t', 1024 ** 4],
  ['1TB', 1024 ** 4],
  ['32GiB', 34_359_738_368],
  ['512m', 512 * 1024 ** 2],
  ['1.5k', 1536],
  [' 2048 ', 2048],
  ['2048b', 2048],
  ['8 MiB', 8 * 1024 ** 2],
]

test('reads sizes as docker does, every unit binary', (t) => {
  for (const [text, bytes] of READ) t.is(parseBytes(text), bytes, text)
})

test('refuses what is no size, and what a number cannot hold exactly', (t) => {
  for (const text of ['', 'GiB', '-1', '1x', '1 Gib i', '1e3', '9PiB', '0x10']) {
    t.throws(() => parseBytes(text), { code: 'BAD_SIZE' }, text)
  }
})

testProp('reads back whole kibibytes it printed', [fc.integer({ min: 0, max: 1023 })], (t, kib) => {
  t.is(parseBytes(formatBytes(kib * 1024)), kib * 1024)
})
