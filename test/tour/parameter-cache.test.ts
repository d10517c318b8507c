import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { moveCacheIfNeeded } from '../../src/tour/parameter-cache.ts'

test('a cache that cannot be written is replaced by the tour’s own, another one stays', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-tour-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const instead = join(directory, 'instead')

  const good = join(directory, 'good')
  await mkdir(good)
  const env: NodeJS.ProcessEnv = { SEALYARD_CACHE: good }
  await moveCacheIfNeeded(env, instead)
  t.is(env.SEALYARD_CACHE, good)
  t.deepEqual(await readdir(good), [], 'the probe leaves nothing')

  // Root may write everywhere, but not below a file.
  await writeFile(join(directory, 'file'), '')
  const homeless: NodeJS.ProcessEnv = { XDG_CACHE_HOME: join(directory, 'file') }
  await moveCacheIfNeeded(homeless, instead)
  t.is(homeless.SEALYARD_CACHE, instead)
})
