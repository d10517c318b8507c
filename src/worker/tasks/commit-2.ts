import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sealProof } from '../../sectors/proof-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import { workerError } from '../errors.ts'
import { contextOf, type TaskTools } from '../task-tools.ts'

export interface Commit2Call {
  readonly sector: SectorRef
  /** Base64. */
  readonly commit1Output: string
}

/**
 * C2: needs no sector file, so a host without any storage path may do it.
 * @returns the proof, base64
 * @throws WorkerError NO_PARAMETERS before anything is started
 */
export async function commit2(tools: TaskTools, call: Commit2Call): Promise<string> {
  const { sizeName } = sealProof(call.sector.ProofType)
  const lacking = await tools.executor.commit2Lacks(call.sector.ProofType)
  if (lacking !== '') {
    throw workerError({
      code: 'NO_PARAMETERS',
      message:
        `this host has no Groth16 parameters for C2 of ${sizeName} sectors (${lacking}); ` +
        'put them where FIL_PROOFS_PARAMETER_CACHE says, or prove C2 elsewhere',
      sector: call.sector.ID,
    })
  }
  const scratch = await mkdtemp(join(tools.scratch, 'sealyard-c2-'))
  try {
    const input = join(scratch, 'commit-1')
    await writeFile(input, Buffer.from(call.commit1Output, 'base64'))
    const proof = await tools.executor.commit2({ sector: call.sector, input }, contextOf(tools, scratch))
    return Buffer.from(proof).toString('base64')
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
