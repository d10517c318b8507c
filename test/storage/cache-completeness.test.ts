import test from 'ava'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import type { CachePhase } from '../../src/sectors/cache-files.ts'
import { SEAL_PROOFS } from '../../src/sectors/proof-types.ts'
import { completePhase, wholeFileProblem } from '../../src/storage/cache-completeness.ts'

const PHASES: CachePhase[] = ['pc1', 'pc2', 'finalized']

test('knows what each phase leaves, for every proof type', (t) => {
  for (const proof of SEAL_PROOFS) {
    for (const phase of PHASES) {
      const files = [...cacheFileBytes(proof, phase)].map(([name, size]) => ({ name, size }))
      t.deepEqual(completePhase(proof, files), { phase }, `${proof.name} ${phase}`)
    }
  }
})

test('a cache that lacks any one file of its phase is not complete', (t) => {
  for (const proof of SEAL_PROOFS.slice(0, 5)) {
    for (const phase of PHASES) {
      const files = [...cacheFileBytes(proof, phase)].map(([name, size]) => ({ name, size }))
      for (const { name } of files.filter((each) => each.name !== 't_aux')) {
        const verdict = completePhase(
          proof,
          files.filter((each) => each.name !== name),
        )
        t.not(verdict.phase, phase, `${proof.name} ${phase} without ${name}`)
      }
    }
  }
})

test('a file of a wrong size is named', (t) => {
  const [proof] = SEAL_PROOFS
  const files = [...cacheFileBytes(proof!, 'pc1')].map(([name, size]) => ({ name, size }))
  const cut = files.map((each) => (each.name === 'sc-02-data-layer-2.dat' ? { ...each, size: 100 } : each))
  t.deepEqual(completePhase(proof!, cut), { phase: null, problem: 'sc-02-data-layer-2.dat has 100 bytes' })
  t.is(completePhase(proof!, []).phase, null)
})

test('a sealed file has exactly the length of its sector', (t) => {
  const [proof] = SEAL_PROOFS
  t.is(wholeFileProblem('sealed', proof!, 2048), null)
  t.not(wholeFileProblem('sealed', proof!, 2047), null)
  t.is(wholeFileProblem('unsealed', proof!, 2060), null)
  t.not(wholeFileProblem('unsealed', proof!, 0), null)
})
