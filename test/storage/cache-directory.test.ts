import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { sealProof } from '../../src/sectors/proof-types.ts'
import { keepOnly, listCache, wholeLayers } from '../../src/storage/cache-directory.ts'

/** 2 KiB. */
const PROOF = sealProof(5)

const layer = (number: number, size = PROOF.sectorSize) => ({
  name: `sc-02-data-layer-${number}.dat`,
  size,
})

test('only whole layers without a gap may be built on', (t) => {
  t.deepEqual([...wholeLayers(PROOF, [layer(1), layer(2)])], [layer(1).name, layer(2).name])
  t.deepEqual([...wholeLayers(PROOF, [layer(1), layer(2, 100)])], [layer(1).name], 'a short one')
  t.deepEqual([...wholeLayers(PROOF, [layer(2)])], [], 'the first is missing')
  t.deepEqual([...wholeLayers(PROOF, [layer(1), layer(2), layer(3)])].length, PROOF.layers, 'one too many')
})

test('what is not kept goes, directories too; a cache that is not there is empty', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-worker-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const cache = join(directory, 'cache')
  t.deepEqual(await listCache(cache), [])
  await t.notThrowsAsync(keepOnly(cache, new Set()))

  await mkdir(join(cache, 'nested'), { recursive: true })
  await writeFile(join(cache, 'layer'), 'kept')
  await writeFile(join(cache, 'sc-02-data-layer-2.dat..tmp'), 'gone')
  t.deepEqual(
    (await listCache(cache)).filter((file) => file.name === 'layer'),
    [{ name: 'layer', size: 4 }],
  )
  await keepOnly(cache, new Set(['layer']))
  t.deepEqual(await readdir(cache), ['layer'])
})
