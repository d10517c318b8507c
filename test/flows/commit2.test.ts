import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { openExecutor } from '../../src/proofs/open-executor.ts'
import { ownParameterDirectory } from '../../src/proofs/parameters.ts'
import type { SectorStatus } from '../../src/protocol/types.ts'
import { hexOfBase64, sealedCommitment, unsealedCommitment } from '../../src/sectors/commitments.ts'
import { skipUnless } from '../skip.ts'
import { ClusterAtHand, MINER } from './cluster-at-hand.ts'

const PROOF_2K = 5
const LIMIT_MS = 1_200_000

const CONFIG = `
[Storage]
AllowAddPiece = false
AllowPreCommit1 = false
AllowPreCommit2 = false
AllowCommit = false

[Chain]
OfflineWait = "10ms"
`

const parameters = ownParameterDirectory(process.env)

function openVerifier() {
  return openExecutor({
    kind: 'prover',
    parameterCache: parameters,
    log: silentLogger,
    clock: systemClock,
  })
}

/** What the proof of a sector is a proof of. */
function sealOf(status: SectorStatus) {
  return {
    sector: { ID: { Miner: MINER, Number: status.SectorID }, ProofType: PROOF_2K },
    commR: sealedCommitment(status.CommR!),
    commD: unsealedCommitment(status.CommD!),
    ticket: hexOfBase64(status.Ticket.Value!),
    seed: hexOfBase64(status.Seed.Value!),
    proof: Buffer.from(status.Proof!, 'base64'),
  }
}

const flipped = (hex: string) => `${hex.startsWith('0') ? '1' : '0'}${hex.slice(1)}`

test('a deferred C2 is taken up from the kept file by a worker that comes later, and its proof is real', async (t) => {
  t.timeout(LIMIT_MS)
  const verifier = await openVerifier()
  const ready = await verifier.canCommit2(PROOF_2K)
  if (skipUnless(t, ready, 'there are no 2 KiB PoRep parameters here; npm run params makes them once')) return

  const cluster = await ClusterAtHand.start(t, {
    workers: ['w01'],
    workerArguments: ['--commit', 'false'],
    config: CONFIG,
    parameters,
  })
  const { Number: number } = await (await cluster.api()).PledgeSector()
  const deferred = await cluster.untilState(number, 'Proving')
  t.regex(deferred.Sealyard?.commit2 ?? '', /deferred/)
  t.is(deferred.CommitMsg, null)
  t.is(deferred.Proof, null)

  await cluster.addWorker('w02', ['--no-default', '--commit', 'true'])
  const began = performance.now()
  await cluster.sealerSays('sectors', 'commit2', String(number))
  const proven = await cluster.untilProven(number, LIMIT_MS)
  t.log(
    `C2 of a 2 KiB sector, from the command to the message: ${Math.round((performance.now() - began) / 1000)} s`,
  )
  t.not(proven.CommitMsg, null)
  t.is(proven.Sealyard?.commit2, null)

  const seal = sealOf(proven)
  const scratch = join(cluster.directory, 'verify')
  await mkdir(scratch)
  t.true(await verifier.verifySeal(seal, { scratch }), 'the proof is valid')
  t.false(
    await verifier.verifySeal({ ...seal, seed: flipped(seal.seed) }, { scratch }),
    'not for another seed',
  )
  t.false(
    await verifier.verifySeal({ ...seal, commR: flipped(seal.commR) }, { scratch }),
    'nor another commR',
  )
  const kept = join(cluster.sealer.repo, 'commit1', `s-t0${MINER}-${number}.json`)
  await t.throwsAsync(readFile(kept), { code: 'ENOENT' }, 'C1’s output goes once the proof has landed')
  await rm(scratch, { recursive: true })
})
