import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { odditiesOf } from '../../src/cli/path-oddities.ts'

test('names that are skipped and an ID that is no UUID are told to who typed the command', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-oddities-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const metafile = join(directory, 'sectorstore.json')
  await writeFile(metafile, JSON.stringify({ ID: 'disk one', CanStore: true }))
  await mkdir(join(directory, 'sealed', 'fetching'), { recursive: true })
  await writeFile(join(directory, 'sealed', 's-t01000-1'), '')
  await writeFile(join(directory, 'sealed', 'notes.txt'), '')
  t.deepEqual(await odditiesOf(directory), [
    `the ID 'disk one' of ${directory} is no UUID: no other path may ever have it`,
    `skipped what is no sealed file in ${directory}/sealed: notes.txt`,
  ])

  await writeFile(metafile, JSON.stringify({ ID: '11111111-2222-4333-8444-555555555555', CanStore: true }))
  await rm(join(directory, 'sealed', 'notes.txt'))
  t.deepEqual(await odditiesOf(directory), [])
  for (let at = 0; at < 12; at++) await mkdir(join(directory, 'sealed', `old-${at}`))
  t.regex((await odditiesOf(directory))[0] ?? '', /: (old-\d+, ){10}… \(12 in all\)$/)
})
