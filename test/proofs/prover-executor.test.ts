import { existsSync } from 'node:fs'
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import test from 'ava'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import { sealProof } from '../../src/sectors/proof-types.ts'
import { PROOF_2KIB, PROOF_8MIB, SEED, SectorAtHand } from './sector-at-hand.ts'

test('seals 2 KiB, finalizes, and unseals what went in', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  const sealed = await at.seal()
  t.is(sealed.commD, sealed.piece.commitment)
  t.not(sealed.commR, sealed.commD)
  await at.commit1(sealed)
  t.true((await stat(at.file('c1.json'))).size > 10_000)
  await at.finalize()
  t.deepEqual(await at.list('cache'), ['p_aux', 'sc-02-data-tree-r-last.dat', 't_aux'])
  await at.unseal(sealed.commD)
  t.true(await at.sameFiles('again', 'unsealed'))
  t.deepEqual(await at.list('scratch'), [], 'the private directories are gone')
})

test('reads data bytes out of an unsealed file and frees what is not kept', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  await at.addPiece()
  const unsealed = at.paths.unsealed
  const read = { proofType: PROOF_2KIB, unsealed, offset: 100, size: 300, output: at.file('out') }
  t.is(await at.executor.readUnsealed(read, at.context()), 300)
  t.deepEqual(await readFile(at.file('out')), at.data().subarray(100, 400))
  await t.throwsAsync(at.executor.readUnsealed(read, at.context()), { code: 'BAD_TASK' })
  t.true(existsSync(at.file('out')), 'an output that was there stays')
  await at.executor.freeUnsealed(
    { proofType: PROOF_2KIB, unsealed, keep: [{ offset: 1024, size: 1024 }] },
    at.context(),
  )
  const freed = { ...read, output: at.file('out-2') }
  await t.throwsAsync(at.executor.readUnsealed(freed, at.context()), { code: 'NOT_UNSEALED' })
  t.false(existsSync(at.file('out-2')))
})

test('a finalized sector answers challenges', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  const { commR } = await at.seal()
  await at.finalize()
  const { sealed, cache } = at.paths
  for (const kind of ['window', 'winning'] as const) {
    const asked = { kind, proofType: PROOF_2KIB, miner: 1000, randomness: SEED, sectors: [7] }
    const challenges = (await at.executor.postChallenges(asked, at.context())).get(7) ?? []
    t.is(challenges.length, kind === 'window' ? 10 : 66)
    const task = { kind, sector: at.sector, sealed, cache, commR, challenges }
    t.true((await at.executor.vanillaPost(task, at.context())).length > 1000)
  }
})

test('PC2 does not run over its own output', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  const piece = await at.addPiece()
  const good = await at.preCommit2(await at.preCommit1(piece))
  const phase1 = Buffer.from('{}')
  await t.throwsAsync(at.preCommit2(phase1), { code: 'BAD_TASK' })
  const again = await at.preCommit1(piece)
  t.deepEqual(await at.preCommit2(again), good)
  await t.throwsAsync(at.preCommit2(again), { code: 'NOT_RESTARTABLE' })
})

test('a failing first piece leaves no unsealed file', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  await writeFile(at.file('short'), 'short')
  const task = {
    sector: at.sector,
    unsealed: at.paths.unsealed,
    existingPieces: [],
    pieceBytes: at.dataBytes,
    source: { kind: 'file', file: at.file('short'), dataBytes: at.dataBytes } as const,
  }
  await t.throwsAsync(at.executor.addPiece(task, at.context()), { code: 'SHORT_SOURCE' })
  t.false(existsSync(at.paths.unsealed))
})

test('a damaged replica does not become data', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  const { commD } = await at.seal()
  const sealed = await open(at.paths.sealed, 'r+')
  await sealed.write(Buffer.alloc(32, 9), 0, 32, 512)
  await sealed.close()
  await t.throwsAsync(at.unseal(commD), { code: 'BAD_SECTOR' })
  t.false(existsSync(at.file('again')))
})

test('a failing C1 leaves no output', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  const sealed = await at.seal()
  await rm(at.file('cache/sc-02-data-layer-1.dat'))
  const error = await t.throwsAsync(at.commit1(sealed))
  t.regex(error?.message ?? '', /commit-1 of s-t01000-7/)
  t.false(existsSync(at.file('c1.json')))
})

test('a SNARK without parameters is refused for good', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  await writeFile(at.file('c1.json'), '{}')
  const task = { sector: at.sector, input: at.file('c1.json') }
  await t.throwsAsync(at.executor.commit2(task, at.context()), { code: 'NO_PARAMETERS' })
  t.false(existsSync(at.file('sealyard-cache/parameters')), 'looking makes no directory')
})

test('8 MiB: stopped in the middle nothing half stays; then sealed, finalized and unsealed', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_8MIB)
  const piece = await at.addPiece()
  const stopAt = (words: RegExp) => {
    const stop = new AbortController()
    const onProgress = ({ message }: { message: string }) => words.test(message) && stop.abort()
    return at.context({ signal: stop.signal, onProgress })
  }
  await t.throwsAsync(at.preCommit1(piece, stopAt(/generating layer: 2/)), { code: 'TASK_ABORTED' })
  const sealed = { ...(await at.preCommit2(await at.preCommit1(piece))), piece }
  for (const [name, bytes] of cacheFileBytes(sealProof(PROOF_8MIB), 'pc2')) {
    // t_aux has a path in it.
    if (name !== 't_aux') t.is((await stat(at.file(`cache/${name}`))).size, bytes, name)
  }
  await at.commit1(sealed)
  await at.finalize()
  await t.throwsAsync(at.unseal(sealed.commD, stopAt(/generating layer/)), { code: 'TASK_ABORTED' })
  t.false(existsSync(at.file('again')))
  t.deepEqual(await at.list('scratch'), [])
  await at.unseal(sealed.commD)
  t.true(await at.sameFiles('again', 'unsealed'))
  t.deepEqual(await at.list('cache'), ['p_aux', 'sc-02-data-tree-r-last.dat', 't_aux'])
})
