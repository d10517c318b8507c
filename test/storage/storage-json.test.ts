import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { locate, StorageJson } from '../../src/storage/storage-json.ts'

async function listFor(t: ExecutionContext): Promise<StorageJson> {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-repo-'))
  t.teardown(() => rm(repo, { recursive: true }))
  return new StorageJson(repo)
}

test('an absent list is empty, and made where it is to be watched', async (t) => {
  const list = await listFor(t)
  t.deepEqual(await list.paths(), [])
  await list.ensure()
  t.deepEqual(JSON.parse(await readFile(list.file, 'utf8')), { StoragePaths: [] })
})

test('adds each path once, removes by equal text, and keeps what is not ours', async (t) => {
  const list = await listFor(t)
  await writeFile(list.file, '{"StoragePaths":[{"Path":"/mnt/a","Note":"old disk"}],"Other":1}')
  await list.add('/mnt/b')
  await list.add('/mnt/b')
  await list.remove('/mnt/c')
  await list.ensure()
  t.deepEqual(JSON.parse(await readFile(list.file, 'utf8')), {
    StoragePaths: [{ Path: '/mnt/a', Note: 'old disk' }, { Path: '/mnt/b' }],
    Other: 1,
  })
  await list.remove('/mnt/a')
  t.deepEqual(await list.paths(), ['/mnt/b'])
})

test('a list that cannot be read is never overwritten', async (t) => {
  const list = await listFor(t)
  await writeFile(list.file, '{"StoragePaths":[')
  await t.throwsAsync(list.add('/mnt/a'), { code: 'BAD_METAFILE' })
  t.is(await readFile(list.file, 'utf8'), '{"StoragePaths":[')
})

test('a tilde is the home directory', (t) => {
  t.is(locate('~/seal'), join(homedir(), 'seal'))
  t.is(locate('~'), homedir())
  t.is(locate('/mnt/a/../b'), '/mnt/b')
  t.is(locate('seal'), resolve('seal'))
})
