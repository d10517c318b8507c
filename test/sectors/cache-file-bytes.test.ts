import test from 'ava'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import { requiredCacheFiles } from '../../src/sectors/cache-files.ts'
import { proofTypeForSize, sealProof } from '../../src/sectors/proof-types.ts'
import { neededSpace } from '../../src/sectors/space-tables.ts'

// Measured with the public proofs (2 KiB, 8 MiB) and reported by operators (32 and 64 GiB).
const measured: [number, string, number][] = [
  [2048, 'sc-02-data-tree-c.dat', 2336],
  [2048, 'sc-02-data-tree-r-last.dat', 32],
  [2048, 'sc-02-data-tree-d.dat', 4064],
  [8 * 2 ** 20, 'sc-02-data-tree-c.dat', 9_586_976],
  [8 * 2 ** 20, 'sc-02-data-tree-r-last.dat', 18_720],
  [512 * 2 ** 20, 'sc-02-data-tree-c.dat', 613_566_752],
  [512 * 2 ** 20, 'sc-02-data-tree-r-last.dat', 1_198_368],
  [32 * 2 ** 30, 'sc-02-data-tree-c-7.dat', 4_908_534_048],
  [64 * 2 ** 30, 'sc-02-data-tree-r-last-15.dat', 9_586_976],
]
for (const [sectorSize, name, bytes] of measured) {
  test(`${name} of a ${sectorSize} byte sector has ${bytes} bytes`, (t) => {
    t.is(cacheFileBytes(sealProof(proofTypeForSize(sectorSize)), 'pc2').get(name), bytes)
  })
}

test('each phase holds all required files, and fits what admission reserves', (t) => {
  for (const sectorSize of [2048, 8 * 2 ** 20, 512 * 2 ** 20, 32 * 2 ** 30, 64 * 2 ** 30]) {
    const proof = sealProof(proofTypeForSize(sectorSize))
    for (const phase of ['pc1', 'pc2', 'finalized'] as const) {
      const files = cacheFileBytes(proof, phase)
      for (const name of requiredCacheFiles(proof, phase)) t.true(files.has(name), `${phase} ${name}`)
      const total = [...files.values()].reduce((sum, bytes) => sum + bytes, 0)
      t.true(total <= neededSpace('cache', proof, phase === 'finalized' ? 'storage' : 'sealing'))
    }
  }
})
