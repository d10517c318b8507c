import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type RunningNode, startDaemon } from '../../src/tour/daemons.ts'

test('a daemon whose start is given up is told of before it answers, and does not stay behind', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-tour-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const stop = new AbortController()
  const spawned: RunningNode[] = []
  const starting = startDaemon(
    {
      name: 'worker',
      kind: 'worker',
      repo: join(directory, 'worker'),
      port: 1,
      // Its sealer never answers, so that it starts for ever.
      env: { SEALER_API_INFO: 'a.b.c:/ip4/127.0.0.1/tcp/1/http' },
      runArguments: [],
    },
    directory,
    {
      signal: stop.signal,
      onSpawn: (node) => {
        spawned.push(node)
        stop.abort(new Error('Ctrl-C'))
      },
    },
  )
  await t.throwsAsync(starting, { message: 'Ctrl-C' })
  const [node] = spawned
  t.true(node !== undefined && (node.child.exitCode ?? node.child.signalCode) !== null)
})
