import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { nestingOf, odditiesOf } from '../../src/cli/path-oddities.ts'

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

test('a path inside another is told in one line, and one that only looks so is not', (t) => {
  const says = nestingOf('/mnt/a/store', ['/mnt/a', '/mnt/a/store', '/mnt/a/store/deep', '/mnt/b'])
  t.regex(says ?? '', /^\/mnt\/a\/store lies inside \/mnt\/a and has \/mnt\/a\/store\/deep inside it, /)
  t.is(nestingOf('/mnt/a', ['/mnt/a', '/mnt/ab', '/mnt/a-store']), null)
  t.regex(nestingOf('/mnt', ['/mnt/a', '/mnt/b']) ?? '', /^\/mnt has \/mnt\/a, \/mnt\/b inside it, /)
  t.regex(nestingOf('/mnt', ['/']) ?? '', /^\/mnt lies inside \/, /)
})
