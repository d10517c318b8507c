import { execFile } from 'node:child_process'
import { access, mkdir, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import type { Reservation, SchedDiag } from '../../src/protocol/types.ts'
import { command, type RunningNode } from '../../src/tour/daemons.ts'
import { skipUnless } from '../skip.ts'
import { ClusterAtHand, MINER } from './cluster-at-hand.ts'
import { isRefused, metafile, place, stateOf } from './refusal.ts'
import { type Typed, typed } from './typed-command.ts'

const run = promisify(execFile)
const NO_MOUNT = 'may not mount here (no CAP_SYS_ADMIN)'
const CONFIG = '[Sealing]\nMinRetryTime = "1s"\n[Proofs]\nExecutor = "shape"\n[Chain]\nOfflineWait = "10ms"\n'

/** A small filesystem of the test's own. @returns whether this user may mount one */
async function mountSmall(
  t: ExecutionContext<unknown>,
  directory: string,
  options: string,
): Promise<boolean> {
  await mkdir(directory, { recursive: true })
  const mounting = run('mount', ['-t', 'tmpfs', '-o', options, 'sealyard-test', directory])
  const isMounted = await mounting.then(
    () => true,
    () => false,
  )
  if (isMounted) t.teardown(() => run('umount', ['-l', directory]))
  return isMounted
}

/** Writes until the kernel says ENOSPC, then gives some pages back. */
async function fill(directory: string, leftPages = 0): Promise<void> {
  await rm(join(directory, 'ballast'), { force: true })
  const { bavail, bsize } = await statfs(directory)
  await writeFile(join(directory, 'ballast'), Buffer.alloc(Math.max(0, bavail - leftPages) * bsize, 1))
}

/** Empty files until the kernel has no inode left, but for some. Room in bytes stays. */
async function takeInodes(directory: string, left: number): Promise<void> {
  await mkdir(join(directory, 'many'))
  const { ffree } = await statfs(directory)
  for (let at = 0; at < ffree - left; at++) await writeFile(join(directory, 'many', String(at)), '')
}

async function waitsOf(cluster: ClusterAtHand): Promise<string[]> {
  const diag = JSON.parse(await cluster.sealerSays('sealing', 'sched-diag')) as SchedDiag
  return diag.SchedInfo.Requests.flatMap((request) => request.Sealyard?.waits ?? [])
}

async function reservations(cluster: ClusterAtHand): Promise<Reservation[]> {
  return JSON.parse(await cluster.sealerSays('storage', 'reservations', '--json')) as Reservation[]
}

async function until<T>(what: () => Promise<T>, holds: (found: T) => boolean, words: string): Promise<T> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const found = await what()
    if (holds(found)) return found
    if (performance.now() > deadline) throw new Error(`${words}: ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const isThere = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  )

test('a path on a full disk is not made, one that is there is attached, and a piece is not received: with the numbers', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const { directory, sealer } = cluster
  const disk = join(directory, 'full')
  const staging = join(sealer.repo, 'staging')
  if (skipUnless(t, await mountSmall(t, disk, 'size=64k'), NO_MOUNT)) return
  await mountSmall(t, staging, 'size=1m')
  await place(disk, { 'sectorstore.json': metafile({}), [`sealed/s-t0${MINER}-3`]: 'x'.repeat(2048) })
  await fill(disk)
  await writeFile(join(directory, 'piece'), 'x'.repeat(1000))
  const typing = (...args: string[]): Typed => ({ program: 'sealer', args: ['--repo', sealer.repo, ...args] })
  const before = await stateOf(cluster)
  for (const refusal of [
    {
      name: 'a path to make',
      typed: typing('storage', 'attach', '--init', '--store', join(disk, 'new')),
      line: /full\/new is on a full filesystem: 0 B of 64 KiB and \d+ inodes are free \(ENOSPC\); make room there/,
    },
    {
      name: 'a piece',
      typed: typing('sectors', 'add', '--piece', join(directory, 'piece')),
      line: /the pieces have 1000 B, and .*staging, where they are received, has 1 MiB free, of which 256 MiB must stay; nothing/,
    },
  ]) {
    isRefused(t, refusal, await typed(refusal.typed))
  }
  await rm(join(disk, 'new'), { recursive: true, force: true })
  t.deepEqual(await stateOf(cluster), before)

  // What a full disk holds can still be served and proven: it has no room for our nonce, and needs none.
  t.is((await typed(typing('storage', 'attach', disk))).code, 0)
  t.regex(await cluster.sealerSays('storage', 'find', '3'), /Sealed/)
})

test('a sector waits for room with the numbers, holds none meanwhile, and goes on when there is some', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [], config: CONFIG })
  const disk = join(cluster.directory, 'scratch')
  if (skipUnless(t, await mountSmall(t, disk, 'size=256k'), NO_MOUNT)) return
  await cluster.sealerSays('storage', 'attach', '--init', '--seal', disk)
  await fill(disk)
  const api = await cluster.api()
  const waiting = async (task: string, line: RegExp) => {
    const waits = await until(
      () => waitsOf(cluster),
      (found) => found.some((each) => line.test(each)),
      `${task} does not wait for room`,
    )
    t.regex(waits.join('\n'), line)
    t.deepEqual(await reservations(cluster), [], 'nothing is held for what waits')
  }
  // Too little for the data; then enough for it, and too little for the layers beside it.
  await cluster.sealerSays('sectors', 'pledge')
  await waiting('AP', /: no room for unsealed: it needs 3072 bytes, there are 0 on [0-9a-f-]{36}$/)
  t.regex((await api.SectorsStatus(1, false)).State, /^Packing$/)
  await fill(disk, 2)
  await waiting('PC1', /: no room for (sealed|cache): it needs \d+ bytes, there are \d+ on [0-9a-f-]{36}$/)
  t.is((await api.SectorsStatus(1, false)).State, 'PreCommit1')
  t.true(await isThere(join(disk, 'unsealed', `s-t0${MINER}-1`)), 'the data is where it was')

  await rm(join(disk, 'ballast'))
  await cluster.untilState(1, 'Proving')
})

for (const way of ['moved', 'fetched'] as const) {
  test(`a sector that is ${way} to a disk that fills up on the way stays whole where it was`, async (t) => {
    const cluster = await ClusterAtHand.start(t, { workers: ['w01'], config: CONFIG, groups: false })
    const worker = cluster.worker('w01')
    const disk = join(cluster.directory, 'small')
    if (skipUnless(t, await mountSmall(t, disk, 'size=8m,nr_inodes=200'), NO_MOUNT)) return
    await onlyStore(cluster, way === 'moved' ? worker : cluster.sealer, disk)
    // The bytes are there, so the space is promised: what is missing the kernel says when the files are made.
    await place(disk, { 'sealed/fetching/.keep': '', 'cache/fetching/.keep': '' })
    await takeInodes(disk, 2)

    await cluster.sealerSays('sectors', 'pledge')
    const api = await cluster.api()
    const failed = await until(
      () => api.SectorsStatus(1, false),
      ({ LastErr }) => LastErr !== '',
      'the disk did not fill up',
    )
    t.regex(failed.LastErr, /No space left on device|ENOSPC|is full/, failed.LastErr)
    t.false(failed.LastErr.includes('\n'), 'it is one line')
    t.false(await isThere(join(disk, 'cache', `s-t0${MINER}-1`)), 'half a cache has no final name')
    const seal = join(cluster.directory, 'seal-w01')
    const cache = await readdir(join(seal, 'cache', `s-t0${MINER}-1`))
    t.true(cache.includes('p_aux') && cache.includes('t_aux'), `the source is whole: ${cache.join(', ')}`)
    await until(
      () => reservations(cluster),
      (held) => held.length === 0,
      'space is still held',
    )

    await rm(join(disk, 'many'), { recursive: true })
    await cluster.untilState(1, 'Proving')
    t.deepEqual((await readdir(join(disk, 'cache', `s-t0${MINER}-1`))).toSorted(), cache.toSorted())
    t.is((await readFile(join(disk, 'sealed', `s-t0${MINER}-1`))).length, 2048)
  })
}

/** The small disk becomes the cluster's one store, on one node. */
async function onlyStore(cluster: ClusterAtHand, node: RunningNode, disk: string): Promise<void> {
  const store = join(cluster.directory, 'store')
  for (const each of [cluster.sealer, cluster.worker('w01')]) {
    await command(each, ['storage', 'detach', '--really-do-it', store])
  }
  await command(node, ['storage', 'attach', '--init', '--store', disk])
}
