import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { command } from '../../src/tour/daemons.ts'
import { skipUnless } from '../skip.ts'
import { ClusterAtHand } from './cluster-at-hand.ts'
import { isRefused, metafile, place, type Refusal, stateOf, textOf } from './refusal.ts'
import { scratch, type Typed, typed } from './typed-command.ts'

const run = promisify(execFile)

test('a directory whose ID was changed is not attached twice', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: ['w01'] })
  const shared = join(cluster.directory, 'shared')
  await command(cluster.worker('w01'), ['storage', 'attach', '--init', '--store', shared])
  const file = join(shared, 'sectorstore.json')
  const text = await readFile(file, 'utf8')
  const { ID } = JSON.parse(text) as { ID: string }
  await writeFile(file, text.replace(ID, '11111111-2222-4333-8444-555555555555'))
  const before = await stateOf(cluster)
  for (const node of [cluster.sealer, cluster.worker('w01')]) {
    const program = node.kind
    const refused = await typed({ program, args: ['--repo', node.repo, 'storage', 'attach', shared] })
    const line = new RegExp(
      `shared has the ID 11111111-.* now, but .* has it attached as ${ID}: put the old ID back`,
    )
    isRefused(t, { name: program, typed: { program, args: [] }, line }, refused)
  }
  t.deepEqual(await stateOf(cluster), before)

  // Taken off where it was attached, it may be another path from then on.
  await command(cluster.worker('w01'), ['storage', 'detach', '--really-do-it', shared])
  await command(cluster.sealer, ['storage', 'attach', shared])
  const ids = Object.keys(await (await cluster.api()).StorageList())
  t.true(ids.includes('11111111-2222-4333-8444-555555555555') && !ids.includes(ID))
})

test('a path that is mounted read-only is not attached for writing', async (t) => {
  const directory = await scratch(t)
  const path = join(directory, 'disk')
  await place(path, { 'sectorstore.json': metafile({}) })
  if (process.getuid?.() === 0) {
    // chmod does not hold root back; a read-only bind mount does.
    const mounted = await run('mount', ['--bind', path, path]).then(
      () => true,
      () => false,
    )
    if (skipUnless(t, mounted, 'root may not mount here (no CAP_SYS_ADMIN)')) return
    t.teardown(() => run('umount', [path]))
    await run('mount', ['-o', 'remount,ro,bind', path])
  } else {
    await chmod(path, 0o555)
    t.teardown(() => chmod(path, 0o755))
  }
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const before = await stateOf(cluster)
  const attach = (...flags: string[]): Typed => ({
    program: 'sealer',
    args: ['--repo', cluster.sealer.repo, 'storage', 'attach', ...flags],
  })
  const refusals: Refusal[] = [
    {
      name: 'a path',
      typed: attach(path),
      line: /disk is for storing but cannot be written to \((EROFS|EACCES)\); .*, then attach it/,
    },
    {
      name: 'a path to make',
      typed: attach('--init', '--store', join(path, 'below')),
      line: /(mounted read-only; mount it read-write first|may not be written to by this user)/,
    },
  ]
  for (const refusal of refusals) isRefused(t, refusal, await typed(refusal.typed))
  t.deepEqual(await stateOf(cluster), before)
})

test('a path whose disk was unmounted is shown as an error, on whichever node it lies', async (t) => {
  const directory = await scratch(t)
  const disks = ['at-sealer', 'at-worker'].map((name) => join(directory, name))
  const isMounted: boolean[] = []
  for (const disk of disks) {
    await mkdir(disk)
    const mounting = run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'sealyard-test', disk])
    isMounted.push(
      await mounting.then(
        () => true,
        () => false,
      ),
    )
  }
  const unmount = () => Promise.all(disks.map((disk) => run('umount', ['-l', disk]).catch(() => undefined)))
  t.teardown(unmount)
  if (skipUnless(t, isMounted.every(Boolean), 'may not mount here (no CAP_SYS_ADMIN)')) return
  const cluster = await ClusterAtHand.start(t, { workers: ['w01'] })
  const [own, others] = disks as [string, string]
  await command(cluster.sealer, ['storage', 'attach', '--init', '--store', own])
  await command(cluster.worker('w01'), ['storage', 'attach', '--init', '--store', others])
  await unmount()
  const { stdout } = await typed({
    program: 'sealer',
    args: ['--repo', cluster.sealer.repo, 'storage', 'list', '--color', 'false'],
  })
  const errors = stdout.split('\n').filter((line) => line.includes('Error: '))
  for (const disk of disks) {
    const why = `at ${disk} is parked: its sectorstore.json is no longer there: is its disk mounted?`
    t.true(
      errors.some((line) => line.includes(why)),
      stdout,
    )
  }
})

test('with a list of paths that an operator spoiled, nothing is attached and nothing detached', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const list = join(cluster.sealer.repo, 'storage.json')
  const [good, path] = [await readFile(list, 'utf8'), join(cluster.directory, 'new-disk')]
  await place(path, { 'sectorstore.json': metafile({}) })
  await writeFile(list, good.slice(0, -10))
  const before = await stateOf(cluster)
  const attach: Typed = {
    program: 'sealer',
    args: ['--repo', cluster.sealer.repo, 'storage', 'attach', path],
  }
  const line = /storage\.json is not a list of storage paths: correct it, it should read/
  isRefused(t, { name: 'attach', typed: attach, line }, await typed(attach))
  t.deepEqual(await stateOf(cluster), before)
  await writeFile(list, good)
  t.is((await typed(attach)).code, 0, 'once it is corrected it works')
})

test('names that are no sectors, half copies and unknown keys: named, and the rest goes on', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const path = join(cluster.directory, 'old-disk')
  const meta = metafile({ SomethingNewer: { Kept: true }, Groups: null })
  await place(path, {
    'sectorstore.json': meta,
    'sealed/s-t01005-1': 'x'.repeat(2048),
    'sealed/s-t01005-2': 'x'.repeat(1000),
    'sealed/s-t01005-3.partial': 'x'.repeat(2048),
    'sealed/notes.txt': 'where the disk was bought',
    'unsealed/s-t01005-': '',
    'cache/s-t01005-1/p_aux': 'x'.repeat(64),
    'update/s-t0-5-5': '',
  })
  const list = join(cluster.sealer.repo, 'storage.json')
  const read = async () => JSON.parse(await readFile(list, 'utf8')) as { StoragePaths: object[] }
  const [first = {}] = (await read()).StoragePaths
  await writeFile(list, JSON.stringify({ Newer: 7, StoragePaths: [{ ...first, Comment: 'bought in May' }] }))
  const { stderr } = await typed({
    program: 'sealer',
    args: ['--repo', cluster.sealer.repo, 'storage', 'attach', path],
  })
  t.regex(stderr, /warning: skipped what is no sealed file in .*: (notes\.txt, )?s-t01005-3\.partial/)
  const held = (await (await cluster.api()).StorageList())['11111111-2222-4333-8444-555555555555'] ?? []
  t.deepEqual(
    held.map(({ Miner, Number: number, SectorFileType }) => ({ Miner, number, SectorFileType })),
    [{ Miner: 1005, number: 1, SectorFileType: 2 | 4 }],
    'no half copy is declared',
  )
  const log = await readFile(cluster.sealer.log, 'utf8')
  for (const name of [
    's-t01005-2 (1000 bytes)',
    's-t01005-3.partial',
    'notes.txt',
    's-t01005-',
    's-t0-5-5',
  ]) {
    t.true(log.includes(`"${name}"`), `${name} is named in the log`)
  }
  t.is(await readFile(join(path, 'sectorstore.json'), 'utf8'), meta, 'unknown keys are kept')
  const rewritten = { Newer: 7, StoragePaths: [{ ...first, Comment: 'bought in May' }, { Path: path }] }
  t.deepEqual(await read(), rewritten, 'also in a file that is written anew')
  t.is(await textOf(join(path, 'sealed', 's-t01005-3.partial')), 'x'.repeat(2048), 'nothing is removed')
})
