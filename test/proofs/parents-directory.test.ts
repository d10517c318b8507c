import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { builtBinary } from '../../src/proofs/built-binary.ts'
import { proofError } from '../../src/proofs/errors.ts'
import { ownParameterDirectory } from '../../src/proofs/parameters.ts'
import { parentsDirectory, parentsTrouble } from '../../src/proofs/parents-directory.ts'
import { ProverExecutor } from '../../src/proofs/prover-executor.ts'
import { environment, PROOF_2KIB, SectorAtHand, TICKET, temporary } from './sector-at-hand.ts'

/** Nobody can make a directory below a plain file, not even root. */
async function impossible(directory: string): Promise<string> {
  const file = join(directory, 'file')
  await writeFile(file, '')
  return join(file, 'parents')
}

test('PC1 without a parent cache to write to names the directory, and pauses the worker', async (t) => {
  const { directory, ...at } = await SectorAtHand.withProver(t, PROOF_2KIB)
  const parents = await impossible(directory)
  const env = { ...environment(directory), FIL_PROOFS_PARENT_CACHE: parents }
  const executor = new ProverExecutor({
    command: { file: builtBinary('sealyard-prover'), args: [] },
    parameterDirectory: ownParameterDirectory(env),
    env,
    log: silentLogger,
    clock: systemClock,
  })
  const hand = new SectorAtHand(directory, PROOF_2KIB, executor)
  const piece = await hand.addPiece()
  const { unsealed, sealed, cache } = hand.paths
  const task = { sector: at.sector, unsealed, sealed, cache, ticket: TICKET, pieces: [piece] }
  const error = await t.throwsAsync(executor.preCommit1(task, hand.context()), {
    code: 'PARENTS_UNWRITABLE',
    message: /FIL_PROOFS_PARENT_CACHE/,
  })
  t.true(error?.message.includes(`the parent cache ${parents} cannot be written`))
  t.like(error, { level: 'critical', sector: 's-t01000-7' })
})

test('another failure stays what it is', async (t) => {
  const directory = await temporary(t)
  const bad = { FIL_PROOFS_PARENT_CACHE: await impossible(directory) }
  const good = { FIL_PROOFS_PARENT_CACHE: join(directory, 'parents') }
  const denied = proofError('IO', 'pre-commit-1 of s-t01000-7: Permission denied (os error 13)')
  const named = proofError('IO', 'the sealed file /seal/s-t01000-7: Permission denied (os error 13)')
  t.is((await parentsTrouble(denied, bad, null))?.code, 'PARENTS_UNWRITABLE')
  t.is(await parentsTrouble(denied, good, null), null)
  t.is(await parentsTrouble(named, bad, null), null)
  t.is(await parentsTrouble(new Error('killed'), bad, null), null)
})

test('the directory is the one that the proofs crates use', (t) => {
  t.is(parentsDirectory({}), '/var/tmp/filecoin-parents')
  t.is(parentsDirectory({ FIL_PROOFS_CACHE_DIR: '/cache/' }), '/cache/filecoin-parents')
  t.is(parentsDirectory({ FIL_PROOFS_CACHE_DIR: '/cache/', FIL_PROOFS_PARENT_CACHE: '/p' }), '/p')
})
