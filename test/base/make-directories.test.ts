import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeDirectories } from '../../src/base/make-directories.ts'
import { skipUnless } from '../skip.ts'

async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-directories-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

test('makes what is missing, with the mode that was asked for, and leaves what is there', async (t) => {
  const directory = await directoryFor(t)
  await makeDirectories(join(directory, 'a', 'b', 'c'), 0o700)
  t.is((await stat(join(directory, 'a'))).mode & 0o777, 0o700)
  await symlink(join(directory, 'a'), join(directory, 'link'))
  await makeDirectories(join(directory, 'link'), 0o755)
  await makeDirectories(join(directory, 'link', 'b', 'd'), 0o755)
  t.true((await stat(join(directory, 'a', 'b', 'd'))).isDirectory())
  t.is((await stat(join(directory, 'a'))).mode & 0o777, 0o700)
})

test('many at once make one tree', async (t) => {
  const directory = await directoryFor(t)
  const wanted = Array.from({ length: 8 }, (_, at) => join(directory, 'x', 'y', 'z', String(at % 2)))
  await t.notThrowsAsync(Promise.all(wanted.map((each) => makeDirectories(each, 0o755))))
})

test('a file in the way is told by its errno', async (t) => {
  const directory = await directoryFor(t)
  await writeFile(join(directory, 'file'), '')
  await t.throwsAsync(makeDirectories(join(directory, 'file'), 0o755), { code: 'EEXIST' })
  await t.throwsAsync(makeDirectories(join(directory, 'file', 'below'), 0o755), { code: 'ENOTDIR' })
})

test('where nobody can make a directory it ends', async (t) => {
  const isLinux = process.platform === 'linux'
  if (skipUnless(t, isLinux, 'there is no /proc here')) return
  await t.throwsAsync(makeDirectories('/proc/sealyard/below', 0o755), { code: 'ENOENT' })
})
