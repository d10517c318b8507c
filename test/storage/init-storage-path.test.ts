import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { initStoragePath } from '../../src/storage/init-storage-path.ts'
import { readStorageMeta } from '../../src/storage/sector-store.ts'

const OPTIONS = {
  weight: 10,
  canSeal: true,
  canStore: false,
  maxStorageBytes: 0,
  groups: ['w01'],
  allowTo: [],
}

async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-init-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

test('writes the metafile that lotus writes, key for key', async (t) => {
  const directory = join(await directoryFor(t), 'new', 'path')
  await initStoragePath(directory, OPTIONS)
  const file = join(directory, 'sectorstore.json')
  const text = await readFile(file, 'utf8')
  const written = JSON.parse(text) as Record<string, unknown>
  t.regex(String(written.ID), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.is(
    text.replace(String(written.ID), 'ID'),
    `{\n  "ID": "ID",\n  "Weight": 10,\n  "CanSeal": true,\n  "CanStore": false,\n  "MaxStorage": 0,\n` +
      `  "Groups": [\n    "w01"\n  ],\n  "AllowTo": null,\n  "AllowTypes": null,\n  "DenyTypes": null,\n` +
      `  "AllowMiners": null,\n  "DenyMiners": null\n}`,
  )
  t.is((await stat(file)).mode & 0o777, 0o644)
  t.deepEqual(await readdir(directory), ['sectorstore.json'])
})

test('never gives a path a second ID', async (t) => {
  const directory = await directoryFor(t)
  const { ID } = await initStoragePath(directory, OPTIONS)
  await t.throwsAsync(initStoragePath(directory, OPTIONS), { code: 'ALREADY_INITIALISED' })
  t.is((await readStorageMeta(directory)).ID, ID)
  t.deepEqual(await readdir(directory), ['sectorstore.json'])
})

test('two that init one directory at once end with one ID', async (t) => {
  const directory = await directoryFor(t)
  const results = await Promise.allSettled([
    initStoragePath(directory, OPTIONS),
    initStoragePath(directory, OPTIONS),
  ])
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('refuses a path that is for nothing', async (t) => {
  const directory = await directoryFor(t)
  await t.throwsAsync(initStoragePath(directory, { ...OPTIONS, canSeal: false }), { code: 'BAD_METAFILE' })
  t.deepEqual(await readdir(directory), [])
})

test('a place where no directory can be is refused in words', async (t) => {
  const directory = await directoryFor(t)
  const file = join(directory, 'file')
  await writeFile(file, '')
  const refused = (message: RegExp) => ({ code: 'BAD_PATH', message })
  await t.throwsAsync(initStoragePath(file, OPTIONS), refused(/file is not a directory/))
  await t.throwsAsync(
    initStoragePath(join(file, 'below'), OPTIONS),
    refused(/lies below something that is not a directory/),
  )
  if (process.platform !== 'linux') return
  await t.throwsAsync(initStoragePath('/proc/sealyard', OPTIONS), refused(/cannot be made: .*\/proc/))
})

test('reads metafiles of older and newer nodes', async (t) => {
  const directory = await directoryFor(t)
  const old =
    '{"ID":"6b4f2c0e-3f0b-4c55-9b8e-2b9a51a6d1f0","Weight":10,"CanSeal":true,"CanStore":true,"MaxStorage":0,"Later":1}'
  await writeFile(join(directory, 'sectorstore.json'), old)
  const meta = await readStorageMeta(directory)
  t.deepEqual([meta.Groups, meta.AllowTo, meta.DenyMiners], [[], [], []])
  await t.throwsAsync(readStorageMeta(join(directory, 'elsewhere')), {
    code: 'BAD_METAFILE',
    message: /mounted\?/,
  })
})
