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
