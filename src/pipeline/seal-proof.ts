import { pipelineError } from './errors.ts'
import { known, refOf, type SectorRecord } from './sector-record.ts'
import type { StepTools } from './step.ts'

/** One Groth16 proof, of one partition. */
const PARTITION_PROOF_BYTES = 192

/**
 * Verifies a sector's proof when the verifying key is here.
 * @returns false when it is not, so that nothing could be said but that the length fits
 * @throws PipelineError PROOF_INVALID
 */
export async function checkProof(
  record: SectorRecord,
  proof: Uint8Array,
  { executor, staging }: Pick<StepTools, 'executor' | 'staging'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (proof.length === 0 || proof.length % PARTITION_PROOF_BYTES !== 0) {
    const message = `${proof.length} bytes are no seal proof: it has ${PARTITION_PROOF_BYTES} bytes for each partition`
    throw pipelineError({ code: 'PROOF_INVALID', message, sector: record.id })
  }
  if (!(await executor.canVerifySeal(record.proofType))) return false
  const task = {
    sector: refOf(record),
    ticket: known(record.ticket, record, 'a ticket'),
    seed: known(record.seed, record, 'a seed'),
    commD: known(record.commD, record, 'comm_d'),
    commR: known(record.commR, record, 'comm_r'),
    proof,
  }
  const valid = await staging.scratch((scratch) => executor.verifySeal(task, { scratch, signal }))
  if (valid) return true
  throw pipelineError({
    code: 'PROOF_INVALID',
    message:
      'the proof is not valid for this sector: it was made from other output of C1, or with other parameters',
    sector: record.id,
  })
}
