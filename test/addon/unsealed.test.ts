import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { NativeError } from '../../src/native/errors.ts'
import { unsealedAllocated } from '../../src/native/unsealed.ts'

const SECTOR_SIZE = 2048

/** An RLE+ bitfield of alternating runs, each at least 16 long, the first one set; then its length. */
function trailer(runs: number[]): Buffer {
  // version 00, first bit 1; a run of 16 and more: 00, then a varint, all from the lowest bit on
  const bits = [0, 0, 1]
  const push = (value: number, count: number) => {
    for (let at = 0; at < count; at++) bits.push((value >> at) & 1)
  }
  for (const run of runs) {
    push(0, 2)
    for (let rest = run; ; rest >>= 7) {
      push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0), 8)
      if (rest <= 0x7f) break
    }
  }
  const bytes = Buffer.alloc(Math.ceil(bits.length / 8) + 4)
  bits.forEach((bit, at) => {
    bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (bit << (at & 7))
  })
  bytes.writeUInt32LE(bytes.length - 4, bytes.length - 4)
  return bytes
}

async function unsealedFile(t: import('ava').ExecutionContext, ...parts: Buffer[]): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sealyard-unsealed-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const path = join(dir, 's-t01000-7')
  await writeFile(path, Buffer.concat(parts))
  return path
}

test('a range is allocated if the trailer says so of all of it', async (t) => {
  const path = await unsealedFile(t, Buffer.alloc(SECTOR_SIZE), trailer([512, 512, 256]))
  t.true(await unsealedAllocated(path, SECTOR_SIZE, 0, 512))
  t.true(await unsealedAllocated(path, SECTOR_SIZE, 1024, 256))
  t.false(await unsealedAllocated(path, SECTOR_SIZE, 0, 513))
  t.false(await unsealedAllocated(path, SECTOR_SIZE, 512, 128))
  t.false(await unsealedAllocated(path, SECTOR_SIZE, 0, 0))
})

test('a file of exactly the size of its sector is allocated as a whole', async (t) => {
  const path = await unsealedFile(t, Buffer.alloc(SECTOR_SIZE))
  t.true(await unsealedAllocated(path, SECTOR_SIZE, 0, SECTOR_SIZE))
  t.false(await unsealedAllocated(path, SECTOR_SIZE, 128, SECTOR_SIZE))
})

test('a file that is missing, cut short or without a trailer is an error, not an answer', async (t) => {
  const short = await unsealedFile(t, Buffer.alloc(SECTOR_SIZE - 1))
  const noise = await unsealedFile(t, Buffer.alloc(SECTOR_SIZE), Buffer.from([1, 2, 3, 255, 255, 255, 255]))
  const expected = [
    [short, { code: 'INVALID', level: 'permanent', errno: null, path: short }],
    [noise, { code: 'INVALID', level: 'permanent', errno: null, path: noise }],
    [`${short}-none`, { code: 'NOT_FOUND', errno: 2, syscall: 'open', path: `${short}-none` }],
  ] as const
  for (const [path, fields] of expected) {
    const error = await t.throwsAsync(unsealedAllocated(path, SECTOR_SIZE, 0, 128), {
      instanceOf: NativeError,
    })
    t.like(error, fields)
  }
})

test('numbers that are no whole bytes are refused before the file is looked at', async (t) => {
  for (const [offset, size] of [
    [-1, 128],
    [0.5, 128],
    [0, 2 ** 53],
    [0, Number.NaN],
  ] as const) {
    const error = await t.throwsAsync(unsealedAllocated('/none', SECTOR_SIZE, offset, size))
    t.like(error, { name: 'NativeError', code: 'INVALID' })
  }
})
