import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { clearScratch } from '../../src/tour/cluster.ts'

test('scratch of a tour that was cut off while it wrote down its processes is replaced', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-tour-'))
  t.teardown(() => rm(directory, { recursive: true }))
  for (const text of ['', '[12', '[1,2]3]', 'null']) {
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'pids.json'), text)
    await clearScratch(directory)
    t.deepEqual(await readdir(directory), ['logs'], text)
  }
})
