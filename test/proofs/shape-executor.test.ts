import { mkdir, stat } from 'node:fs/promises'
import test from 'ava'
import { ShapeExecutor } from '../../src/proofs/shape-executor.ts'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import { sealProof } from '../../src/sectors/proof-types.ts'
import { SectorAtHand, temporary } from './sector-at-hand.ts'

const PROOF_32GIB = 8
const GIB = 2 ** 30

async function shape(t: Parameters<typeof temporary>[0]): Promise<SectorAtHand> {
  const at = new SectorAtHand(await temporary(t), PROOF_32GIB, new ShapeExecutor())
  await mkdir(at.context().scratch)
  return at
}

async function seal(at: SectorAtHand) {
  const { sector, dataBytes: pieceBytes } = at
  const unsealed = at.paths.unsealed
  const source = { kind: 'zeroes' } as const
  const task = { sector, unsealed, existingPieces: [], pieceBytes, source }
  const piece = await at.executor.addPiece(task, at.context())
  return { piece, ...(await at.preCommit2(await at.preCommit1(piece))) }
}

test('leaves files of a 32 GiB seal, of the right sizes and without blocks', async (t) => {
  const at = await shape(t)
  await seal(at)
  const expected = cacheFileBytes(sealProof(PROOF_32GIB), 'pc2')
  t.deepEqual(await at.list('cache'), [...expected.keys()].sort())
  for (const [name, bytes] of expected) t.is((await stat(at.file(`cache/${name}`))).size, bytes, name)
  for (const name of ['sealed', 'unsealed']) {
    const { size, blocks } = await stat(at.file(name))
    t.is(size, 32 * GIB)
    t.true(blocks < 100)
  }
  await at.finalize()
  const kept = cacheFileBytes(sealProof(PROOF_32GIB), 'finalized')
  t.deepEqual(await at.list('cache'), [...kept.keys()].sort())
})

test('its stand-ins are the same for the same sector, and the data’s follows from the pieces', async (t) => {
  const [first, second] = await Promise.all([seal(await shape(t)), seal(await shape(t))])
  t.deepEqual(first, second)
  t.is(first.commD, first.piece.commitment)
  t.regex(first.commR, /^[0-9a-f]{62}[0-3][0-9a-f]$/)
})

test('refuses to prove, to verify and to give data, and says what it is', async (t) => {
  const at = await shape(t)
  const sealed = await seal(at)
  await t.throwsAsync(at.commit1(sealed), {
    code: 'DOES_NOT_SEAL',
    message: /^shape: writes files, does not seal/,
  })
  const executor = new ShapeExecutor()
  for (const refused of [
    executor.commit2(),
    executor.verifySeal(),
    executor.vanillaPost(),
    executor.windowPost(),
    executor.verifyWindowPost(),
    executor.readUnsealed(),
  ]) {
    await t.throwsAsync(refused, { code: 'DOES_NOT_SEAL' })
  }
  t.is(executor.description, 'shape: writes files, does not seal')
  t.false(await executor.canCommit2())
})

test('an output of a real PC1 is not taken for its own', async (t) => {
  const at = await shape(t)
  await t.throwsAsync(at.preCommit2(Buffer.from('{"comm_d":[1,2]}')), { code: 'DOES_NOT_SEAL' })
})

test('a signal that has fired stops it', async (t) => {
  const at = await shape(t)
  const piece = { commitment: '00'.repeat(32), paddedBytes: 32 * GIB }
  const stopped = at.preCommit1(piece, at.context({ signal: AbortSignal.abort() }))
  await t.throwsAsync(stopped, { code: 'TASK_ABORTED' })
})
