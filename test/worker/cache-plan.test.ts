import test from 'ava'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import type { CachePhase } from '../../src/sectors/cache-files.ts'
import type { RecordedPhase } from '../../src/storage/cache-records.ts'
import {
  commit1Objection,
  finalizeObjection,
  planPreCommit1,
  planPreCommit2,
} from '../../src/worker/cache-plan.ts'
import { PROOF } from './sector-at-hand.ts'

const MADE = { ticket: 'dGlja2V0', pieces: ['baga1:2048'] }
const ELSEWHERE = { ticket: '', pieces: [] }
const PHASES: RecordedPhase[] = ['pc1-started', 'pc1', 'pc2-started', 'pc2', 'finalized']

const filesOf = (phase: CachePhase) =>
  [...cacheFileBytes(PROOF, phase)].map(([name, size]) => ({ name, size }))

test('PC1 keeps layers only where a record vouches for the same ticket and the same pieces', (t) => {
  for (const phase of PHASES) {
    t.is(planPreCommit1({ ...MADE, phase }, MADE, true), 'keep-layers', phase)
    t.is(planPreCommit1({ ...MADE, phase }, { ...MADE, ticket: 'b3RoZXI=' }, true), 'anew', phase)
    t.is(planPreCommit1({ ...MADE, phase }, { ...MADE, pieces: ['baga2:2048'] }, true), 'anew', phase)
    t.is(planPreCommit1({ ...MADE, phase }, { ...MADE, pieces: [...MADE.pieces, 'baga2:128'] }, true), 'anew')
    t.is(planPreCommit1({ ...ELSEWHERE, phase }, MADE, true), 'anew', `${phase}, made elsewhere`)
  }
  t.is(planPreCommit1(null, MADE, true), 'anew')
})

test('after the machine went down PC1 keeps no layer that an earlier PC1 had not ended with', (t) => {
  for (const phase of PHASES) {
    const plan = phase === 'pc1-started' ? 'anew' : 'keep-layers'
    t.is(planPreCommit1({ ...MADE, phase }, MADE, false), plan, phase)
  }
})

const PC2_CASES: [
  string,
  RecordedPhase | null,
  'made' | 'elsewhere',
  CachePhase,
  'run' | 'repair' | 'refuse',
][] = [
  ['a whole PC1 cache of ours', 'pc1', 'made', 'pc1', 'run'],
  ['a whole PC1 cache without a record', null, 'elsewhere', 'pc1', 'run'],
  ['a PC1 that broke off', 'pc1-started', 'made', 'pc1', 'repair'],
  ['a PC2 that broke off', 'pc2-started', 'made', 'pc2', 'repair'],
  ['a PC2 that broke off before it wrote anything', 'pc2-started', 'made', 'pc1', 'repair'],
  ['a PC2 that is done', 'pc2', 'made', 'pc2', 'repair'],
  ['a PC2 that broke off in a cache from elsewhere', 'pc2-started', 'elsewhere', 'pc2', 'refuse'],
  ['a PC2 that is done in a cache from elsewhere', 'pc2', 'elsewhere', 'pc2', 'refuse'],
  ['a foreign cache with PC2 files', null, 'elsewhere', 'pc2', 'refuse'],
  ['a foreign cache that is finalized', null, 'elsewhere', 'finalized', 'refuse'],
  ['a finalized cache of ours', 'finalized', 'made', 'finalized', 'refuse'],
  ['a record of PC1 beside files of PC2', 'pc1', 'made', 'pc2', 'refuse'],
]

for (const [what, phase, origin, files, how] of PC2_CASES) {
  test(`PC2 over ${what}: ${how}`, (t) => {
    const record = phase === null ? null : { ...(origin === 'made' ? MADE : ELSEWHERE), phase }
    t.is(planPreCommit2(PROOF, record, filesOf(files)).how, how)
  })
}

test('PC2 refuses a PC1 cache that lacks a layer, whatever the record says, and names it', (t) => {
  const files = filesOf('pc1').filter((file) => file.name !== 'sc-02-data-layer-2.dat')
  for (const record of [null, { ...MADE, phase: 'pc1' as const }]) {
    const plan = planPreCommit2(PROOF, record, files)
    t.is(plan.how, 'refuse')
    t.regex(plan.how === 'refuse' ? plan.reason : '', /sc-02-data-layer-2\.dat.*run PC1 again/)
  }
})

test('C1 reads only what PC2 has finished, made with the ticket and pieces it is asked for', (t) => {
  t.is(commit1Objection(null, MADE), null, 'made elsewhere: C1 checks its own proof')
  t.is(commit1Objection({ ...MADE, phase: 'pc2' }, MADE), null)
  t.is(commit1Objection({ ...ELSEWHERE, phase: 'pc2' }, MADE), null)
  for (const phase of ['pc1-started', 'pc1', 'pc2-started'] as const) {
    t.regex(commit1Objection({ ...MADE, phase }, MADE) ?? '', /run PC2 again/, phase)
  }
  t.regex(
    commit1Objection({ ...MADE, phase: 'pc2' }, { ...MADE, ticket: 'b3RoZXI=' }) ?? '',
    /another ticket/,
  )
})

test('a cache is trimmed only when all that proving needs is in it and PC2 is done', (t) => {
  t.is(finalizeObjection(PROOF, { ...MADE, phase: 'pc2' }, filesOf('pc2')), null)
  t.is(finalizeObjection(PROOF, null, filesOf('pc2')), null)
  t.is(finalizeObjection(PROOF, { ...MADE, phase: 'finalized' }, filesOf('finalized')), null, 'again')
  const halfTrimmed = filesOf('pc2').filter((file) => !file.name.includes('layer-1'))
  t.is(finalizeObjection(PROOF, { ...MADE, phase: 'pc2' }, halfTrimmed), null, 'a FIN that broke off')
  for (const phase of ['pc1-started', 'pc1', 'pc2-started'] as const) {
    t.regex(finalizeObjection(PROOF, { ...MADE, phase }, filesOf('pc2')) ?? '', /nothing was removed/, phase)
  }
  const noAux = filesOf('pc2').filter((file) => file.name !== 'p_aux')
  t.regex(finalizeObjection(PROOF, { ...MADE, phase: 'pc2' }, noAux) ?? '', /lacks p_aux/)
})
