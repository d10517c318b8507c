import { sealProof } from '../sectors/proof-types.ts'
import { pipelineError } from './errors.ts'
import type { Lives } from './lives.ts'
import { checkProof } from './seal-proof.ts'
import { refOf, type SectorRecord } from './sector-record.ts'
import type { SectorState } from './sector-state.ts'
import type { SectorChange } from './sector-store.ts'
import type { StepTools } from './step.ts'

/** @returns C1's output, base64. @throws PipelineError NO_COMMIT1 */
export async function commit2Input(number: number, { store, commit1Files }: StepTools): Promise<string> {
  const record = await store.get(number)
  const output = record.commit1File === null ? null : await commit1Files.read(record.commit1File)
  if (output !== null) return output
  const why =
    record.commitMessage !== null ? 'its proof was submitted and the output removed' : 'it has none yet'
  throw pipelineError({
    code: 'NO_COMMIT1',
    message: `no output of C1 is kept for sector ${number}: ${why} (it is in ${record.state})`,
    sector: record.id,
  })
}

/**
 * Takes up a deferred C2.
 * @throws PipelineError SECTOR_STATE, PROOF_HERE, NO_COMMIT1, NO_PARAMETERS; nothing has changed then
 */
export async function takeUpCommit2(number: number, tools: StepTools, lives: Lives): Promise<void> {
  const record = await tools.store.get(number)
  refuseUnless(record, ['Proving'], "'sectors commit2' is for sectors whose C2 was deferred")
  await commit2Input(number, tools)
  if (!(await tools.tasks.canCommit2(refOf(record)))) {
    const { sizeName } = sealProof(record.proofType)
    throw pipelineError({
      code: 'NO_PARAMETERS',
      level: 'temporary',
      message: `no connected worker can run C2 for ${sizeName} sectors: start one with C2 enabled that has the Groth16 parameters (FIL_PROOFS_PARAMETER_CACHE); a worker that lacks them names the files in its log, 'parameters list' shows those of this machine`,
      sector: record.id,
    })
  }
  await tools.store.change(number, (now) => {
    refuseUnless(now, ['Proving'], "'sectors commit2' is for sectors whose C2 was deferred")
    return { to: 'Committing', event: { kind: 'C2', message: 'taken up from the kept output of C1' } }
  })
  lives.start(number)
}

/** Where C2 is being made or tried again: the imported proof takes its place. */
const COMPUTING: readonly SectorState[] = ['Committing', 'ComputeProofFailed']
/** Where a sector goes on without its proof. */
const FINALIZING: readonly SectorState[] = ['FinalizeSector', 'FinalizeFailed']
const WANTED: readonly SectorState[] = [...COMPUTING, ...FINALIZING, 'Proving']

/**
 * Takes a proof that was made elsewhere.
 * @param proof base64
 * @returns verified: false when the verifying key is not on this host, so that the proof was taken as it is
 * @throws PipelineError SECTOR_STATE, PROOF_HERE, NO_COMMIT1, PROOF_INVALID; nothing has changed then
 */
export async function importProof(
  number: number,
  proof: string,
  tools: StepTools,
  lives: Lives,
  signal: AbortSignal,
): Promise<{ verified: boolean }> {
  const record = await tools.store.get(number)
  refuseImport(record)
  const verified = await checkProof(record, Buffer.from(proof, 'base64'), tools, signal)
  const words = verified ? 'verified' : 'not verified: the verifying key is not here'
  const decide = (now: SectorRecord): SectorChange => {
    refuseImport(now)
    const event = { kind: 'C2', message: `a proof made elsewhere was imported, ${words}` }
    // What finalizes goes on doing so, and submits the proof afterwards.
    return FINALIZING.includes(now.state)
      ? { set: { proof }, event }
      : { to: 'SubmitCommit', set: { proof }, event }
  }
  if (COMPUTING.includes(record.state)) {
    const reason = pipelineError({ code: 'PROOF_HERE', message: 'a proof was imported', sector: record.id })
    await lives.interrupt(number, reason, decide)
  } else {
    await tools.store.change(number, decide)
    lives.start(number)
  }
  return { verified }
}

function refuseImport(record: SectorRecord): void {
  refuseUnless(record, WANTED, 'a proof is taken once there is output of C1')
  if (record.commit1File !== null) return
  throw pipelineError({
    code: 'NO_COMMIT1',
    message: `C1 of sector ${record.id.Number} has not been made yet, so no proof can belong to it`,
    sector: record.id,
  })
}

function refuseUnless(record: SectorRecord, states: readonly SectorState[], rule: string): void {
  const { Number: number } = record.id
  if (record.proof !== null) {
    throw pipelineError({
      code: 'PROOF_HERE',
      message: `sector ${number} has its proof already`,
      sector: record.id,
    })
  }
  if (states.includes(record.state)) return
  throw pipelineError({
    code: 'SECTOR_STATE',
    message: `sector ${number} is in ${record.state}: ${rule} (${states.join(', ')})`,
    sector: record.id,
  })
}
