import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { openExecutor } from '../../src/proofs/open-executor.ts'
import { ShapeExecutor } from '../../src/proofs/shape-executor.ts'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import { sealProof } from '../../src/sectors/proof-types.ts'
import type { NodeStorage } from '../../src/storage/node-storage.ts'
import type { TaskTools } from '../../src/worker/task-tools.ts'
import { addPiece } from '../../src/worker/tasks/add-piece.ts'
import { commit1 } from '../../src/worker/tasks/commit-1.ts'
import { finalize } from '../../src/worker/tasks/finalize.ts'
import { preCommit1 } from '../../src/worker/tasks/pre-commit-1.ts'
import { preCommit2 } from '../../src/worker/tasks/pre-commit-2.ts'
import { unseal } from '../../src/worker/tasks/unseal.ts'
import { skipUnless } from '../skip.ts'
import { TOP } from '../source-files.ts'
import type { OnePathStorage } from './one-path-storage.ts'
import { OTHER_TICKET, PATH_ID, PROOF, SECTOR, SEED, TICKET } from './sector-at-hand.ts'
import { tasksAtHand } from './worker-at-hand.ts'

const HAS_PROVER = existsSync(join(TOP, 'build/sealyard-prover'))
const NO_PROVER = 'the prover has not been built (npm run build)'
/** Data of a piece that fills the sector, none of it alike. */
const DATA = Buffer.from(Array.from({ length: 2032 }, (_, index) => (index * 7 + (index >> 8)) & 0xff))

interface RealSeal {
  readonly tools: TaskTools
  readonly storage: OnePathStorage
  readonly unsealed: Buffer
  readonly pc1: Parameters<typeof preCommit1>[1]
}

/** A sector whose piece is in place, sealed by the real prover from here on. */
async function realSeal(t: ExecutionContext): Promise<RealSeal> {
  const { storage, tools: rest } = await tasksAtHand(t)
  const tools: TaskTools = {
    ...rest,
    executor: await openExecutor({
      kind: 'prover',
      parameterCache: storage.directory,
      log: silentLogger,
      clock: systemClock,
    }),
    readers: {
      receive: async (_reader, target) => {
        await writeFile(target, DATA)
        return { bytes: DATA.length }
      },
    },
  }
  const reader = { Type: 'push' as const, Info: '' }
  const piece = await addPiece(tools, { sector: SECTOR, existingPieces: [], pieceBytes: 2032, reader })
  const unsealed = await readFile(storage.file('unsealed'))
  return { tools, storage, unsealed, pc1: { sector: SECTOR, ticket: TICKET, pieces: [piece] } }
}

/** PC1 and PC2; @returns what C1 is asked for */
async function seal({ tools, pc1 }: RealSeal) {
  const phase1Output = await preCommit1(tools, pc1)
  const cids = await preCommit2(tools, { sector: SECTOR, phase1Output })
  return { phase1Output, c1: { ...pc1, seed: SEED, cids } }
}

test('a real sector goes through AP, PC1, PC2, UNS, C1, FIN and UNS again', async (t) => {
  if (skipUnless(t, HAS_PROVER, NO_PROVER)) return
  const real = await realSeal(t)
  const { tools, storage, unsealed, pc1 } = real
  const { c1 } = await seal(real)
  await storage.remove(SECTOR.ID, 'unsealed')
  const uns = { sector: SECTOR, offset: 0, size: 2032, ticket: TICKET, unsealed: c1.cids.Unsealed }
  Object.assign(tools.storage, { allocated: async () => false } satisfies Partial<NodeStorage>)
  await unseal(tools, uns)
  t.deepEqual((await readFile(storage.file('unsealed'))).subarray(0, 2048), unsealed.subarray(0, 2048))

  // Unsealing with the real cache would have replaced tree-d, and this would fail.
  const output = Buffer.from(await commit1(tools, c1), 'base64').toString()
  t.notThrows(() => JSON.parse(output))
  await finalize(tools, SECTOR)
  t.deepEqual(
    (await readdir(storage.file('cache'))).sort(),
    [...cacheFileBytes(PROOF, 'finalized').keys()].sort(),
  )
  await storage.remove(SECTOR.ID, 'unsealed')
  await unseal(tools, uns)
  t.deepEqual((await readFile(storage.file('unsealed'))).subarray(0, 2048), unsealed.subarray(0, 2048))
  t.deepEqual(
    c1.cids.Unsealed,
    pc1.pieces[0]?.PieceCID as unknown,
    'one piece that fills the sector is the sector',
  )
})

test('PC2 asked for twice gives the same comm_r, where the proofs library alone gives a wrong one', async (t) => {
  if (skipUnless(t, HAS_PROVER, NO_PROVER)) return
  const real = await realSeal(t)
  const { phase1Output, c1 } = await seal(real)
  t.deepEqual(await preCommit2(real.tools, { sector: SECTOR, phase1Output }), c1.cids)
  await t.notThrowsAsync(commit1(real.tools, c1))
})

test('a PC2 killed over a half-built tree-c ends with the right comm_r', async (t) => {
  if (skipUnless(t, HAS_PROVER, NO_PROVER)) return
  const real = await realSeal(t)
  const { tools, storage } = real
  const { phase1Output, c1 } = await seal(real)
  // What a kill in tree-c leaves: full length, content missing, the replica not encoded yet.
  const treeC = join(storage.file('cache'), 'sc-02-data-tree-c.dat')
  await writeFile(treeC, Buffer.alloc((await readFile(treeC)).length))
  await storage.records.setPhase(SECTOR.ID, PATH_ID, 'pc2-started')
  t.deepEqual(await preCommit2(tools, { sector: SECTOR, phase1Output }), c1.cids)
})

test('after a PC1 with another ticket C1 proves, so no layer of the first was used', async (t) => {
  if (skipUnless(t, HAS_PROVER, NO_PROVER)) return
  const real = await realSeal(t)
  await seal(real)
  const { c1 } = await seal({ ...real, pc1: { ...real.pc1, ticket: OTHER_TICKET } })
  await t.notThrowsAsync(commit1(real.tools, c1))
  await t.throwsAsync(commit1(real.tools, { ...c1, ticket: TICKET }), { code: 'CACHE_UNUSABLE' })
})

test('the shape executor leaves what the worker takes for a sector of any size', async (t) => {
  const { storage, tools: rest } = await tasksAtHand(t)
  const tools = { ...rest, executor: new ShapeExecutor() }
  const sector = { ...SECTOR, ProofType: 8 }
  const reader = { Type: 'null' as const, Info: '' }
  const piece = await addPiece(tools, { sector, existingPieces: [], pieceBytes: 2 ** 28 * 127, reader })
  const phase1Output = await preCommit1(tools, { sector, ticket: TICKET, pieces: [piece] })
  await preCommit2(tools, { sector, phase1Output })
  await finalize(tools, sector)
  t.deepEqual(
    (await readdir(storage.file('cache'))).sort(),
    [...cacheFileBytes(sealProof(8), 'finalized').keys()].sort(),
  )
})
