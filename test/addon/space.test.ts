import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { NativeError } from '../../src/native/errors.ts'
import {
  diskUsage,
  filesystemOf,
  kernelAbilities,
  type SpaceSnapshot,
  spaceAdmit,
} from '../../src/native/space.ts'

async function scratch(t: import('ava').ExecutionContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sealyard-space-'))
  t.teardown(() => rm(dir, { recursive: true }))
  return dir
}

const snapshot = (): SpaceSnapshot => ({
  filesystems: [{ id: 'disk', availableBytes: 1000, floorBytes: 100 }],
  paths: [
    { id: 'seal', filesystem: 'disk', maxBytes: null, usedBytes: 0 },
    { id: 'store', filesystem: 'disk', maxBytes: 500, usedBytes: 200 },
  ],
  held: [{ id: 'a', path: 'seal', bytes: 300, onDiskBytes: 100 }],
})

test('entries are admitted together or not at all, and a refusal says why', (t) => {
  const entry = (id: string, path: string, bytes: number) => ({ id, path, bytes, onDiskBytes: 0 })
  t.deepEqual(spaceAdmit(snapshot(), [entry('b', 'seal', 400), entry('c', 'store', 300)]), { granted: true })
  const full = spaceAdmit(snapshot(), [entry('b', 'seal', 701)])
  t.like(full, {
    granted: false,
    id: 'b',
    path: 'seal',
    filesystem: 'disk',
    wantedBytes: 701,
    availableBytes: 700,
  })
  const aboveMax = spaceAdmit(snapshot(), [entry('c', 'store', 301)])
  t.like(aboveMax, { granted: false, id: 'c', limitedByMax: true, availableBytes: 300 })
  t.deepEqual(spaceAdmit(snapshot(), [entry('a', 'seal', 900)]), { granted: true }, 'it replaces itself')
})

test('a snapshot that contradicts itself and numbers that are no bytes are refused as INVALID', (t) => {
  const refused = (change: (to: SpaceSnapshot) => void) => {
    const given = snapshot()
    change(given)
    const error = t.throws(() => spaceAdmit(given, []), { instanceOf: NativeError })
    t.is(error?.code, 'INVALID')
    return error?.message ?? ''
  }
  t.regex(
    refused((to) => to.paths.push({ id: 'x', filesystem: 'none', maxBytes: null, usedBytes: 0 })),
    /none/,
  )
  for (const bytes of [-1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
    const message = refused((to) => to.held.push({ id: 'b', path: 'seal', bytes, onDiskBytes: 0 }))
    t.regex(message, /^bytes: /)
  }
  t.regex(
    refused((to) => to.filesystems.push({ id: 'y', availableBytes: 1 } as never)),
    /floorBytes|floor_bytes/,
  )
})

test('a file system tells its space, and two directories on it share it', async (t) => {
  const dir = await scratch(t)
  await mkdir(join(dir, 'inner'))
  const [outer, inner] = [await filesystemOf(dir), await filesystemOf(join(dir, 'inner'))]
  t.is(outer.filesystem, inner.filesystem)
  t.true(outer.capacityBytes >= outer.availableBytes && outer.availableBytes > 0)
  t.true(Number.isSafeInteger(outer.mountId) && outer.type.length > 0)
  const error = await t.throwsAsync(filesystemOf(join(dir, 'none')), { instanceOf: NativeError })
  t.like(error, { code: 'NOT_FOUND', errno: 2, syscall: 'open', path: join(dir, 'none'), bytesDone: 0 })
})

test('disk usage counts blocks, not lengths, and is null for what is not there', async (t) => {
  const dir = await scratch(t)
  await writeFile(join(dir, 'dense'), Buffer.alloc(100_000, 1))
  await writeFile(join(dir, 'sparse'), '')
  await truncate(join(dir, 'sparse'), 2 ** 30)
  const used = await diskUsage(dir)
  t.true(used !== null && used >= 100_000 && used < 2 ** 20, String(used))
  t.is(await diskUsage(join(dir, 'none')), null)
})

test('the kernel tells what it can do', (t) => {
  const abilities = kernelAbilities()
  t.is(abilities.kernel, release())
  t.is(abilities.root, process.geteuid?.() === 0)
  t.deepEqual(Object.keys(abilities).sort(), ['cachestat', 'ioUring', 'kernel', 'root'])
})
