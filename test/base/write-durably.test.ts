import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { writeDurably } from '../../src/base/write-durably.ts'

async function scratch(t: { teardown(undo: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-write-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

test('replaces a file whole and leaves nothing beside it', async (t) => {
  const directory = await scratch(t)
  const path = join(directory, 'storage.json')
  await writeDurably(path, 'old and longer')
  await writeDurably(path, new TextEncoder().encode('new'))
  t.is(await readFile(path, 'utf8'), 'new')
  t.deepEqual(await readdir(directory), ['storage.json'])
})

test('gives exactly the mode it was asked for, whatever the umask', async (t) => {
  const path = join(await scratch(t), 'token')
  await writeDurably(path, 'secret', { mode: 0o600 })
  t.is((await stat(path)).mode & 0o777, 0o600)
  await writeDurably(path, 'open', { mode: 0o666 })
  t.is((await stat(path)).mode & 0o777, 0o666)
})

test('a failed write leaves the old state and no temporary file', async (t) => {
  const directory = await scratch(t)
  const path = join(directory, 'taken')
  await mkdir(join(path, 'child'), { recursive: true })
  await t.throwsAsync(writeDurably(path, 'text'))
  t.deepEqual(await readdir(directory), ['taken'])
})
