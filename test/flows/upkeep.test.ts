import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { Mover } from '../../src/native/mover.ts'
import type { InterruptedMove, QuarantinedFile, Reservation } from '../../src/protocol/types.ts'
import { command, stopDaemon } from '../../src/tour/daemons.ts'
import { ClusterAtHand, MINER } from './cluster-at-hand.ts'
import { isRefused, place, textOf } from './refusal.ts'
import { type Typed, typed } from './typed-command.ts'

const sealerTypes = (cluster: ClusterAtHand, ...args: string[]): Typed => ({
  program: 'sealer',
  args: ['--repo', cluster.sealer.repo, ...args],
})

test('space that a dead worker was promised is released once its call is given up, and not before', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const worker = await cluster.addWorker('w01', [], true, { SEALYARD_KILL_AT: 'before:task.files-synced/AP' })
  const died = new Promise((resolve) => worker.child.once('exit', resolve))
  await cluster.sealerSays('sectors', 'pledge')
  await died
  const held = async () =>
    JSON.parse(await cluster.sealerSays('storage', 'reservations', '--json')) as Reservation[]
  const [first, ...others] = await held()
  t.truthy(first)
  t.true((await cluster.sealerSays('storage', 'reservations')).includes(first!.id))
  const release = sealerTypes(cluster, 'storage', 'release', first!.id)

  const line =
    /a call of s-t01005-1 \(.*\) runs on .*: its space .*give it up first: 'sealing abort [0-9a-f]{8}'/
  const refused = await typed(release)
  isRefused(t, { name: 'while its call runs', typed: release, line }, refused)
  t.deepEqual(await held(), [first!, ...others])

  const [, call = ''] = /sealing abort ([0-9a-f]{8})/.exec(refused.stderr) ?? []
  await cluster.sealerSays('sealing', 'abort', call)
  const released = await typed(release)
  t.is(released.code, 0, released.stderr)
  t.is(released.stdout, `released ${first!.id}: ${first!.neededBytes} bytes\n`)
  t.deepEqual(await held(), others)
  isRefused(t, { name: 'twice', typed: release, line: /no reservation starts with / }, await typed(release))
})

test('what another node had removed from a store is listed, put back, and removed for good', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const store = join(cluster.directory, 'store')
  const file = join(store, 'sealed', `s-t0${MINER}-4`)
  const content = 'x'.repeat(2048)
  await place(store, { [`sealed/s-t0${MINER}-4`]: content })
  await cluster.sealerSays('storage', 'redeclare', '--all')
  const removeAsStranger = async () => {
    const url = `${cluster.sealer.url}/remote/sealed/s-t0${MINER}-4`
    const headers = { authorization: `Bearer ${await cluster.token()}` }
    t.is((await fetch(url, { method: 'DELETE', headers })).status, 200)
    t.is(await textOf(file), null)
  }
  t.is(await cluster.sealerSays('storage', 'quarantine'), 'Nothing is in quarantine\n')
  await removeAsStranger()
  const listed = JSON.parse(await cluster.sealerSays('storage', 'quarantine', '--json')) as QuarantinedFile[]
  t.is(listed.length, 1)
  const name = listed[0]!.name
  t.is(await readFile(listed[0]!.file, 'utf8'), content)
  t.true((await cluster.sealerSays('storage', 'quarantine')).includes(name))

  // A file of that name which came meanwhile is not replaced.
  await writeFile(file, 'another')
  const restore = sealerTypes(cluster, 'storage', 'restore', name)
  isRefused(
    t,
    { name: 'taken', typed: restore, line: /sealed\/s-t01005-4 is there again/ },
    await typed(restore),
  )
  t.is(await textOf(file), 'another')
  await rm(file)
  t.is(await cluster.sealerSays('storage', 'restore', name), `restored ${file}\n`)
  t.is(await textOf(file), content)
  t.regex(await cluster.sealerSays('storage', 'find', '4'), /Sealed/)

  await removeAsStranger()
  const cleanup = sealerTypes(cluster, 'storage', 'cleanup', '--all')
  const asks = { name: 'unsaid', typed: cleanup, code: 2, line: /gone for good; pass --really-do-it/ }
  isRefused(t, asks, await typed(cleanup))
  t.regex(await cluster.sealerSays('storage', 'cleanup', '--all', '--really-do-it'), /^removed s-t01005-4\./)
  t.is(await cluster.sealerSays('storage', 'quarantine'), 'Nothing is in quarantine\n')
  const gone = sealerTypes(cluster, 'storage', 'cleanup', '--really-do-it', name)
  isRefused(t, { name: 'gone', typed: gone, line: /nothing named .* is in quarantine/ }, await typed(gone))
})

test('a move that is not certain after a stop stays listed until an operator settles it', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const [from, to] = [join(cluster.directory, 'from'), join(cluster.directory, 'to')]
  const name = `sealed/s-t0${MINER}-9`
  await place(from, { [name]: 'y'.repeat(2048) })
  await mkdir(to)
  const repo = join(cluster.directory, 'w01')
  await mkdir(repo)
  const journal = join(repo, 'moves.journal')
  const mover = await Mover.open(journal)
  const places = { source: { root: from, name }, target: { root: to, name } }
  await mover
    .transfer({ op: 'op-9', ...places, keepSource: false, verify: true, tag: '', only: 'copy' })
    .run()
  mover.close()
  await appendFile(join(to, name), 'somebody wrote here')

  const worker = await cluster.addWorker('w01', [])
  const moves = JSON.parse(await command(worker, ['storage', 'moves', '--json'])) as InterruptedMove[]
  t.is(moves.length, 1)
  t.is(moves[0]?.state, 'uncertain')
  t.regex(moves[0]?.reason ?? '', /is now something else; compare it with the source by hand/)
  t.regex(await readFile(worker.log, 'utf8'), /storage settle/)

  const unknown: Typed = { program: 'worker', args: ['--repo', repo, 'storage', 'settle', 'none'] }
  isRefused(
    t,
    { name: 'unknown', typed: unknown, line: /no interrupted move starts with none/ },
    await typed(unknown),
  )
  t.regex(await command(worker, ['storage', 'settle', 'op-9']), /^settled op-9: .* are left as they are/)
  t.is(await command(worker, ['storage', 'moves']), 'No interrupted move is open\n')
  t.is(await textOf(join(from, name)), 'y'.repeat(2048), 'no file was touched')

  await stopDaemon(worker)
  const again = await Mover.open(journal)
  t.deepEqual(await again.recover(), [], 'and the journal has forgotten it')
  again.close()
})
