import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { runDaemon, startDaemon } from '../../src/cli/daemon.ts'
import { tasksMayEndMs } from '../../src/cli/from-settings.ts'
import { loadSettings } from '../../src/config/load-settings.ts'

async function settingsOf(repo: string) {
  const flags = { 'Logging.Level': 'error' }
  return (await loadSettings('sealer', { repo, env: {}, flags })).value
}

test('a daemon that hangs in its start stops when it is told to', async (t) => {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-daemon-'))
  t.teardown(() => rm(repo, { recursive: true }))
  const daemon = await startDaemon(repo, await settingsOf(repo))
  const stopped: string[] = []
  const status = await runDaemon(daemon, async ({ shutdown }) => {
    shutdown.add('what was started', () => void stopped.push('it'))
    setImmediate(() => void shutdown.stop('an operator is done waiting'))
    await new Promise(() => undefined)
  })
  t.is(status, 0)
  t.deepEqual(stopped, ['it'])
})

test('a start clears what tasks of an earlier run left, and nothing else of that place', async (t) => {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-daemon-'))
  t.teardown(() => rm(repo, { recursive: true }))
  const left = join(repo, 'task-files', 'sealyard-c2-Ab12Cd')
  // An operator's storage path, in the very directory: its files are nobody's to remove.
  const theirs = join(repo, 'task-files', 'sealed')
  for (const directory of [left, theirs]) await mkdir(directory, { recursive: true })
  await writeFile(join(theirs, 's-t01000-1'), 'sealed')
  const daemon = await startDaemon(repo, await settingsOf(repo))
  await daemon.shutdown.stop('the test is over')
  t.deepEqual(await readdir(daemon.scratch), ['sealed'])
  t.deepEqual(await readdir(theirs), ['s-t01000-1'])
})

test('a start that fails stops what it has begun, and says why', async (t) => {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-daemon-'))
  t.teardown(() => rm(repo, { recursive: true }))
  const daemon = await startDaemon(repo, await settingsOf(repo))
  const stopped: string[] = []
  const run = runDaemon(daemon, async ({ shutdown }) => {
    shutdown.add('what was started', () => void stopped.push('it'))
    throw new Error('no disk')
  })
  await t.throwsAsync(run, { message: 'no disk' })
  t.deepEqual(stopped, ['it'])
})

test('tasks must end early enough for the parts below them to stop in time', async (t) => {
  const settings = await settingsOf(tmpdir())
  const within = (ShutdownTimeout: number) =>
    tasksMayEndMs({ ...settings, API: { ...settings.API, ShutdownTimeout } })
  t.is(within(20_000), 12_000)
  t.is(within(4000), 2000)
})
