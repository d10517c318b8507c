import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { lockFile, lockHolder } from '../../src/base/lock-file.ts'

async function scratch(t: { teardown(undo: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-lock-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

const MODULE = JSON.stringify(new URL('../../src/base/lock-file.ts', import.meta.url).href)

/** A process that tries to take the lock and prints `got` or the error's code, then waits. */
function contender(path: string) {
  const program = `
    import { lockFile } from ${MODULE}
    lockFile(${JSON.stringify(path)}).then(() => console.log('got'), (error) => console.log(error.code))
    setInterval(() => {}, 1000)
  `
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const answer = once(child.stdout, 'data').then(([chunk]) => String(chunk).trim())
  return { child, answer }
}

async function kill(child: ReturnType<typeof contender>['child']): Promise<void> {
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

test('a held lock refuses and names the holder; a released one is free', async (t) => {
  const path = join(await scratch(t), 'repo.lock')
  const lock = await lockFile(path)
  t.is(await lockHolder(path), process.pid)
  const error = await t.throwsAsync(lockFile(path), { code: 'REPO_LOCKED' })
  t.regex(error?.message ?? '', new RegExp(`process ${process.pid} `))
  await lock.release()
  await lock.release()
  t.is(await lockHolder(path), null)
  await (await lockFile(path)).release()
})

test('the lock of a killed process is taken over, by one of several newcomers', async (t) => {
  const directory = await scratch(t)
  const path = join(directory, 'repo.lock')
  const first = contender(path)
  t.is(await first.answer, 'got')
  await t.throwsAsync(lockFile(path), {
    code: 'REPO_LOCKED',
    message: new RegExp(`process ${first.child.pid} `),
  })
  await kill(first.child)

  const newcomers = Array.from({ length: 4 }, () => contender(path))
  const answers = await Promise.all(newcomers.map((each) => each.answer))
  t.deepEqual(answers.toSorted(), ['REPO_LOCKED', 'REPO_LOCKED', 'REPO_LOCKED', 'got'])
  t.deepEqual(await readdir(directory), ['repo.lock'])
  for (const each of newcomers) await kill(each.child)
})

test('a pid that another process has now does not hold the lock', async (t) => {
  const path = join(await scratch(t), 'repo.lock')
  const lock = await lockFile(path)
  const holder = JSON.parse(await readFile(path, 'utf8'))
  await lock.release()
  await writeFile(path, JSON.stringify({ ...holder, startTicks: '1' }))
  t.is(await lockHolder(path), null)
  await (await lockFile(path)).release()
})

test('a holder in another container counts as alive while its lock is fresh', async (t) => {
  const path = join(await scratch(t), 'repo.lock')
  const lock = await lockFile(path)
  const holder = JSON.parse(await readFile(path, 'utf8'))
  await lock.release()
  await writeFile(path, JSON.stringify({ ...holder, pidNamespace: 'pid:[1]', host: 'elsewhere' }))
  await t.throwsAsync(lockFile(path), { code: 'REPO_LOCKED', message: /elsewhere/ })
  const longAgo = new Date(Date.now() - 120_000)
  await utimes(path, longAgo, longAgo)
  await (await lockFile(path)).release()
})

test('a file that is no lock of ours is left alone', async (t) => {
  const path = join(await scratch(t), 'repo.lock')
  await writeFile(path, 'something else')
  await t.throwsAsync(lockFile(path), { code: 'REPO_LOCKED', message: /not a lock that Sealyard wrote/ })
  t.is(await readFile(path, 'utf8'), 'something else')
})
