import { execFile } from 'node:child_process'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { type Logger, silentLogger } from '../../src/base/log.ts'
import type { HealthReport } from '../../src/protocol/types.ts'
import { skipUnless } from '../skip.ts'
import { ClusterAtHand, hookedIndex, Published, sector, until, writeSealed } from './cluster-at-hand.ts'

const run = promisify(execFile)
const SEALED = 2

/** An index that keeps what it is told of the health of paths. */
function listening(cluster: ClusterAtHand) {
  const reports: HealthReport[] = []
  const index = hookedIndex(cluster.index, async (method, params) => {
    if (method === 'StorageReportHealth') reports.push(params[1] as HealthReport)
  })
  return { index, reports }
}

test('of an unmounted path nobody is told the numbers of what lies below', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const { index, reports } = listening(cluster)
  const storage = await cluster.startNode('node', [path], { index })
  t.true((await storage.stat(path.id)).Capacity > 0)
  await rename(path.directory, `${path.directory}.unmounted`)
  await mkdir(path.directory)

  const parked = {
    code: 'PATH_PARKED',
    message: /is parked: its sectorstore\.json is no longer there: is its disk mounted\?/,
  }
  await t.throwsAsync(storage.stat(path.id), parked)
  await t.throwsAsync(storage.redeclare(null, true), parked)
  reports.length = 0
  t.true(await until(cluster.clock, async () => reports.length > 0))
  t.regex(reports[0]?.Err ?? '', /is its disk mounted/)
  t.deepEqual([reports[0]?.Stat.Capacity, reports[0]?.Stat.FSAvailable], [0, 0])

  await rm(path.directory, { recursive: true })
  await rename(`${path.directory}.unmounted`, path.directory)
  const isBack = () =>
    storage.stat(path.id).then(
      ({ Capacity }) => Capacity > 0,
      () => false,
    )
  t.true(await until(cluster.clock, isBack))
  t.true(await until(cluster.clock, async () => reports.at(-1)?.Err === ''))
})

test('a file on a path that is away is not said to be nowhere, and is served again when it is back', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const one = sector(1)
  await writeSealed(path, one)
  const publications = new Published()
  const storage = await cluster.startNode('node', [path], { publications })
  const isServed = () => [...publications.files.values()].includes(path.fileOf('sealed', one))
  t.true(isServed())
  await rename(path.directory, `${path.directory}.unmounted`)
  t.true(await until(cluster.clock, async () => !isServed()))
  await t.throwsAsync(storage.serveFound('sealed', one.ID), { code: 'PATH_PARKED' })
  t.false(await storage.serveFound('sealed', sector(2).ID))
  await rename(`${path.directory}.unmounted`, path.directory)
  t.true(await until(cluster.clock, async () => isServed()))
})

test('a sectorstore.json that breaks under a running node parks its path, and the reason is told', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const { index, reports } = listening(cluster)
  const storage = await cluster.startNode('node', [path], { index })
  await writeFile(join(path.directory, 'sectorstore.json'), '{"ID":')
  await t.throwsAsync(storage.stat(path.id), {
    code: 'PATH_PARKED',
    message: /sectorstore\.json cannot be used/,
  })
  reports.length = 0
  t.true(await until(cluster.clock, async () => reports.length > 0))
  t.regex(reports[0]?.Err ?? '', /sectorstore\.json cannot be used/)
  t.is(reports[0]?.Stat.Capacity, 0)
})

test('a filesystem that turns read-only is seen: nothing new goes there, and what it holds is still found', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const disk = join(cluster.directory, 'disk')
  await mkdir(disk)
  const mounted = await run('mount', ['--bind', disk, disk]).then(
    () => true,
    () => false,
  )
  if (skipUnless(t, mounted, 'may not mount here (no CAP_SYS_ADMIN)')) return
  t.teardown(() => run('umount', [disk]))
  const path = await cluster.makePath('disk', 'store')
  await writeSealed(path, sector(1))
  const { index, reports } = listening(cluster)
  const storage = await cluster.startNode('node', [path], { index })
  await run('mount', ['-o', 'remount,ro,bind', disk])

  const isTold = () => reports.at(-1)?.Err.includes('mounted read-only') === true
  t.true(await until(cluster.clock, async () => isTold()))
  t.true((reports.at(-1)?.Stat.Capacity ?? 0) > 0, 'the numbers are its own')
  await t.throwsAsync(storage.stat(path.id), { code: 'PATH_PARKED', message: /mounted read-only/ })
  const request = { task: 'GET', sector: sector(2), existing: 0, allocate: SEALED, kind: 'storage' } as const
  await t.throwsAsync(storage.acquire(request))
  await cluster.index.StorageDetach(path.id, 'http://node:3456/remote')
  reports.length = 0
  await storage.introduceAgain()
  t.deepEqual(await cluster.holders(sector(1), SEALED), [`${path.id}*`])
  t.true(isTold(), 'an index that is told anew hears of it too')

  await run('mount', ['-o', 'remount,rw,bind', disk])
  t.true(await until(cluster.clock, async () => reports.at(-1)?.Err === ''))
  t.true((await storage.stat(path.id)).Available > 0)
})

test('however an attached directory is spelled, it is attached already', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const link = join(cluster.directory, 'link')
  await symlink(path.directory, link)
  const storage = await cluster.startNode('node', [path])
  for (const written of [path.directory, `${path.directory}/`, join(link, '.'), link]) {
    await t.throwsAsync(storage.attach(written), {
      code: 'DUPLICATE_PATH',
      message: `${written.replace(/\/$/, '')} is attached to this node already, with the ID ${path.id}`,
    })
  }
})

test('an ID that is no UUID is taken, and told', async (t) => {
  const cluster = await ClusterAtHand.make(t)
  const path = await cluster.makePath('store', 'store')
  const metafile = join(path.directory, 'sectorstore.json')
  const text = await readFile(metafile, 'utf8')
  const warnings: string[] = []
  const log: Logger = { ...silentLogger, warn: (message) => warnings.push(message) }
  await writeFile(metafile, text.replace(path.id, 'disk-one'))
  const storage = await cluster.startNode('node', [], { log })
  await storage.attach(path.directory)
  t.deepEqual(Object.keys(storage.localPaths()), ['disk-one'])
  t.deepEqual(warnings.filter((each) => each.includes('no UUID')).length, 1)
})
