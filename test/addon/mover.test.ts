import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { NativeError, type NativeErrorCode } from '../../src/native/errors.ts'
import { Mover, probeCopyEngines, probeTier, type TransferRequest } from '../../src/native/mover.ts'

const FILE = 'sealed/s-t01000-7'

/** A seal path with one file, a store path, and an open mover. */
async function yard(t: ExecutionContext) {
  const dir = await mkdtemp(join(tmpdir(), 'sealyard-mover-'))
  const [seal, store, journal] = [join(dir, 'seal'), join(dir, 'store'), join(dir, 'moves.journal')]
  await mkdir(join(seal, 'sealed'), { recursive: true })
  await mkdir(store)
  await writeFile(join(seal, FILE), Buffer.alloc(100_000, 7))
  const mover = await Mover.open(journal)
  t.teardown(async () => {
    mover.close()
    await rm(dir, { recursive: true })
  })
  const request = (op: string, more: Partial<TransferRequest> = {}): TransferRequest => ({
    op,
    source: { root: seal, name: FILE },
    target: { root: store, name: FILE },
    keepSource: false,
    verify: true,
    tag: 'sector 7',
    ...more,
  })
  return { dir, seal, store, journal, mover, request }
}

async function refused(
  t: ExecutionContext,
  what: Promise<unknown>,
  code: NativeErrorCode,
): Promise<NativeError> {
  const error = await t.throwsAsync(what, { instanceOf: NativeError })
  t.is(error?.code, code)
  return error as NativeError
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

test('a rename leaves nothing to remove', async (t) => {
  const { seal, store, mover, request } = await yard(t)
  const transfer = mover.transfer(request('op-1'))
  t.deepEqual(transfer.progress(), { bytes: 0, total: 0 })
  const { seconds, allocatedBytes, ...durable } = await transfer.run()
  const copied = { engine: null, copiedBytes: 0, writtenBytes: 0, readBackBytes: 0, hashes: [] }
  t.deepEqual(durable, { method: 'rename', bytes: 100_000, ...copied, files: 1, sourceGone: true })
  t.true(seconds > 0 && allocatedBytes >= 100_000)
  t.deepEqual(transfer.progress(), { bytes: 100_000, total: 100_000 })
  await transfer.removeSource()
  await transfer.done()
  t.deepEqual(await readFile(join(store, FILE)), Buffer.alloc(100_000, 7))
  t.false(await exists(join(seal, FILE)))
})

test('every way to copy can be forced, and the result says which one it was', async (t) => {
  const { dir, store, request } = await yard(t)
  const engines = await probeCopyEngines(store)
  t.true(engines.includes('buffered'))
  for (const copyEngine of ['direct', 'uncached', 'buffered'] as const) {
    const mover = await Mover.open(join(dir, `${copyEngine}.journal`), { copyEngine })
    const transfer = mover.transfer(request(copyEngine, { only: 'copy', keepSource: true, hash: 'blake3' }))
    const durable = await transfer.run()
    t.is(durable.engine, engines.includes(copyEngine) ? copyEngine : 'buffered')
    t.is(durable.readBackBytes, 100_000)
    const [hash] = durable.hashes
    t.like(hash, { name: '', bytes: 100_000 })
    t.regex(hash?.hash ?? '', /^blake3:[0-9a-f]{64}$/)
    await transfer.done()
    await rm(join(store, FILE))
    mover.close()
  }
})

test('a way to copy or a hash that does not exist is refused', async (t) => {
  const { dir, mover, request } = await yard(t)
  await refused(t, Mover.open(join(dir, 'other.journal'), { copyEngine: 'magic' as 'auto' }), 'INVALID')
  const wrong = () => mover.transfer(request('op-1', { hash: 'md5' as 'off' }))
  t.is(t.throws(wrong, { instanceOf: NativeError })?.code, 'INVALID')
})

test('a copy keeps the mode, and its source goes only when it is told to', async (t) => {
  const { seal, store, mover, request } = await yard(t)
  await chmod(join(seal, FILE), 0o644)
  const transfer = mover.transfer(request('op-1', { only: 'copy' }))
  const durable = await transfer.run()
  t.like(durable, { method: 'copy', copiedBytes: 100_000, sourceGone: false })
  t.is((await stat(join(store, FILE))).mode & 0o7777, 0o644)
  t.true(await exists(join(seal, FILE)))
  await transfer.removeSource()
  t.false(await exists(join(seal, FILE)))
  await transfer.done()
  t.deepEqual(await mover.recover(), [])
  t.deepEqual(await mover.leftovers(store), [])
})

test('a move that was not ended comes back from the journal with its tag', async (t) => {
  const { seal, store, journal, mover, request } = await yard(t)
  await mover.transfer(request('op-1', { only: 'copy' })).run()
  mover.close()
  const again = await Mover.open(journal)
  t.teardown(() => again.close())
  const [found] = await again.recover()
  t.deepEqual(found, {
    op: 'op-1',
    tag: 'sector 7',
    source: { root: seal, name: FILE },
    target: { root: store, name: FILE },
    keepSource: false,
    state: 'target-durable',
    reason: null,
  })
  await again.removeSource('op-1')
  t.is((await again.recover())[0]?.state, 'source-removed')
  await again.done('op-1')
  t.deepEqual(await again.recover(), [])
})

test('a cancelled transfer fails with CANCELLED and leaves the source alone', async (t) => {
  const { seal, store, mover, request } = await yard(t)
  const transfer = mover.transfer(request('op-1', { only: 'copy' }))
  const error = await refused(t, transfer.run(AbortSignal.abort()), 'CANCELLED')
  t.is(error.level, 'temporary')
  t.true(await exists(join(seal, FILE)))
  t.deepEqual(await readdir(join(store, 'sealed')), ['fetching'])
  t.deepEqual(await mover.leftovers(store), [])
})

test('failures carry what the kernel said and what they were about', async (t) => {
  const { seal, store, mover, request } = await yard(t)
  await mkdir(join(store, 'sealed'))
  await writeFile(join(store, FILE), 'another')
  const differs = await refused(t, mover.transfer(request('op-1')).run(), 'TARGET_DIFFERS')
  t.like(differs, { level: 'abort', path: join(store, FILE), errno: null })
  const gone = { root: seal, name: 'sealed/s-t01000-8' }
  const missing = await refused(t, mover.transfer(request('op-2', { source: gone })).run(), 'NOT_FOUND')
  t.like(missing, { errno: 2, syscall: 'fstatat', path: join(seal, gone.name), bytesDone: 0 })
  await refused(t, mover.removeSource('op-9'), 'WRONG_STATE')
  await t.notThrowsAsync(mover.done('op-9'))
})

test('what is no request is refused at once', async (t) => {
  const { seal, mover, request } = await yard(t)
  for (const bad of [
    request('a/b'),
    request(''),
    request('op', { source: { root: seal, name: '../x' } }),
    request('op', { only: 'teleport' as 'copy' }),
    request('op', { only: 'rename', keepSource: true }),
    { ...request('op'), tag: 7 as never },
  ]) {
    const error = t.throws(() => mover.transfer(bad), { instanceOf: NativeError })
    t.is(error?.code, 'INVALID')
  }
})

test('a journal has one mover, and a closed one does nothing', async (t) => {
  const { dir, journal, seal, mover, request } = await yard(t)
  t.is((await refused(t, Mover.open(journal), 'JOURNAL')).level, 'critical')
  await refused(t, Mover.open(join(dir, 'none', 'moves.journal')), 'JOURNAL')
  mover.close()
  await refused(t, mover.recover(), 'WRONG_STATE')
  await refused(t, mover.remove(seal, FILE), 'WRONG_STATE')
  t.is(t.throws(() => mover.transfer(request('op')), { instanceOf: NativeError })?.code, 'WRONG_STATE')
  const again = await Mover.open(journal)
  again.close()
})

test('a sector file is removed once, and leftovers are listed and discarded', async (t) => {
  const { seal, mover } = await yard(t)
  const removed = await mover.remove(seal, FILE)
  t.true(removed.removed && removed.allocatedBytes >= 100_000)
  t.deepEqual(await mover.remove(seal, FILE), { removed: false, allocatedBytes: 0 })
  await mkdir(join(seal, 'sealed', 'fetching'))
  await writeFile(join(seal, 'sealed', 'fetching', 's-t01000-7.x'), 'abc')
  const [left] = await mover.leftovers(seal)
  t.like(left, { name: 'sealed/fetching/s-t01000-7.x', owned: false })
  t.true((left?.modifiedMs ?? 0) > 0 && (left?.bytes ?? 0) > 0)
  await refused(t, mover.discard(seal, FILE), 'INVALID')
  await mover.discard(seal, 'sealed/fetching/s-t01000-7.x')
  t.deepEqual(await mover.leftovers(seal), [])
})

test('the tier between two storage paths is found by trying', async (t) => {
  const { dir, seal, store } = await yard(t)
  t.is(await probeTier(seal, store), 'rename')
  t.is(await probeTier(seal, seal), 'in-place')
  await refused(t, probeTier(seal, join(dir, 'none')), 'NOT_FOUND')
})

test('many transfers at once each end with their own file', async (t) => {
  const { seal, store, mover, request } = await yard(t)
  const names = Array.from({ length: 24 }, (_, at) => `sealed/s-t01000-${100 + at}`)
  await Promise.all(names.map((name) => writeFile(join(seal, name), name)))
  await Promise.all(
    names.map(async (name, at) => {
      const places = { source: { root: seal, name }, target: { root: store, name } }
      const transfer = mover.transfer(
        request(`op-${at}`, { ...places, only: at % 2 === 0 ? 'copy' : 'rename' }),
      )
      await transfer.run()
      await transfer.removeSource()
      await transfer.done()
    }),
  )
  for (const name of names) t.is(await readFile(join(store, name), 'utf8'), name)
  t.deepEqual(await readdir(join(seal, 'sealed')), ['s-t01000-7'])
  t.deepEqual(await mover.recover(), [])
})
