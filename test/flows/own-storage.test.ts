import { join } from 'node:path'
import test from 'ava'
import { ClusterAtHand } from './cluster-at-hand.ts'

test('attach, redeclare and detach say which path they meant, in words or as JSON', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const path = join(cluster.directory, 'seal')
  const attached = JSON.parse(
    await cluster.sealerSays('storage', 'attach', '--init', '--seal', '--json', path),
  ) as { id: string; path: string }[]
  t.is(attached.length, 1)
  const [own] = attached
  t.is(own?.path, path)
  t.deepEqual(JSON.parse(await cluster.sealerSays('storage', 'redeclare', '--json', path)), attached)
  t.is(await cluster.sealerSays('storage', 'redeclare', path), `redeclared ${path} (${own?.id})\n`)
  t.deepEqual(
    JSON.parse(await cluster.sealerSays('storage', 'detach', '--really-do-it', '--json', path)),
    attached,
  )
  t.is(await cluster.sealerSays('storage', 'attach', path), `attached ${path} (${own?.id})\n`)
})

test('what fetches keep to is shown, and changed while the node runs', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const limits = async (...flags: string[]) =>
    JSON.parse(await cluster.sealerSays('storage', 'limits', '--json', ...flags)) as unknown
  t.deepEqual(await limits(), { fetches: 10, bytesPerSecond: 0, bytesPerSecondPerPeer: 0 })
  const changed = { fetches: 2, bytesPerSecond: 500 * 2 ** 20, bytesPerSecondPerPeer: 2 ** 20 }
  t.deepEqual(await limits('--fetches', '2', '--rate', '500MiB', '--rate-per-peer', '1MiB'), changed)
  t.deepEqual(await limits(), changed)
  t.is(
    await cluster.sealerSays('storage', 'limits', '--rate', '0'),
    'fetches at a time: 2\nreceived in all: no limit\nreceived from each node: 1 MiB/s\n' +
      'in force until the node stops; config.toml has what it starts with\n',
  )
})
