import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { STORAGE_DEFAULTS } from '../../src/storage/parts.ts'
import { skipUnless } from '../skip.ts'
import { ClusterAtHand, sector, until, writeSealed } from './cluster-at-hand.ts'

const settings = { ...STORAGE_DEFAULTS, patienceMs: 2000, reconcileMs: 20_000 }
const SEALED = 2
const canMount = process.getuid?.() === 0 && existsSync('/dev/fuse')
const WHY = 'needs root and /dev/fuse to mount a filesystem that never answers'

/** A directory over which, from now on, lies a filesystem that answers nothing. */
async function silence(t: ExecutionContext<unknown>, directory: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('silent-mount.py', import.meta.url))
  const child = spawn('python3', [script, directory], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => speak(child))
  await once(child.stdout ?? child, 'data')
  return child
}

async function speak(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.stdin?.end()
  await exited
}

test('a disk that never answers is parked and holds up no other, and is used again when it speaks', async (t) => {
  if (skipUnless(t, canMount, WHY)) return
  const cluster = await ClusterAtHand.make(t)
  const [good, bad] = [await cluster.makePath('good', 'store'), await cluster.makePath('bad', 'store')]
  const [one, two] = [sector(1), sector(4)]
  await writeSealed(good, one)
  await writeSealed(bad, two)
  const storage = await cluster.startNode('node', [good, bad], { settings })
  const mount = await silence(t, bad.directory)

  // Whoever asks, and however many, is let go after a while; later ones at once.
  const found = () => storage.find('sealed', one.ID).then((file) => file?.file)
  const want = good.fileOf('sealed', one)
  t.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, found))), new Set([want]))
  t.is(await found(), want)
  t.true((await stat(good.directory)).isDirectory(), 'a thread is left for others')
  const parked = {
    code: 'PATH_PARKED',
    message: /has not answered for 2 s: is its server, or its disk, there\?/,
  }
  await t.throwsAsync(storage.stat(bad.id), parked)
  t.true((await storage.stat(good.id)).Capacity > 0)
  await t.throwsAsync(
    storage.remove(two.ID, 'sealed', []),
    { code: 'PATH_PARKED' },
    'it is not known to be gone',
  )
  await t.throwsAsync(storage.remove(sector(3).ID, 'sealed', []), { code: 'NOT_HELD' })

  const put = sector(2)
  await speak(mount)
  const isBack = () =>
    storage.stat(bad.id).then(
      ({ Capacity }) => Capacity > 0,
      () => false,
    )
  t.true(await until(cluster.clock, isBack))
  // Watched again: what is put there from now on is declared.
  await writeSealed(bad, put)
  t.true(
    await until(cluster.clock, async () =>
      (await cluster.holders(put, SEALED)).some((id) => id.startsWith(bad.id)),
    ),
  )
})

test('a node starts without a disk that never answers, and opens it when it does', async (t) => {
  if (skipUnless(t, canMount, WHY)) return
  const cluster = await ClusterAtHand.make(t)
  const [bad, good] = [await cluster.makePath('bad', 'store'), await cluster.makePath('good', 'store')]
  const mount = await silence(t, bad.directory)
  const storage = await cluster.startNode('node', [bad, good], { settings })
  t.true((await storage.stat(good.id)).Capacity > 0)
  await t.throwsAsync(storage.stat(bad.id), { code: 'UNKNOWN_PATH' })
  await t.throwsAsync(storage.attach(bad.directory), { message: /has not answered for 2 s/ })

  await speak(mount)
  const isOpen = () =>
    storage.stat(bad.id).then(
      ({ Capacity }) => Capacity > 0,
      () => false,
    )
  t.true(await until(cluster.clock, isOpen))
})
