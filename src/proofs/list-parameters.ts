import { tmpdir } from 'node:os'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { SEAL_PROOFS, type SectorSizeName } from '../sectors/proof-types.ts'
import { builtBinary } from './built-binary.ts'
import { CIRCUITS, type Circuit, type FoundParameters } from './parameters.ts'
import { ProverExecutor } from './prover-executor.ts'

export interface ListedParameters extends FoundParameters {
  readonly circuit: Circuit
  readonly sizeName: SectorSizeName
}

/**
 * What lies in a directory, for every circuit and sector size.
 * @throws ProofError PROVER_MISSING: only the prover knows the files' names
 */
export async function listParameters(options: {
  readonly directory: string
  readonly env: NodeJS.ProcessEnv
  readonly log: Logger
  readonly clock: Clock
}): Promise<ListedParameters[]> {
  const { directory, ...rest } = options
  const command = { file: builtBinary('sealyard-prover'), args: [] }
  const executor = new ProverExecutor({ command, parameterDirectory: directory, ...rest })
  const listed: ListedParameters[] = []
  // The variants of a seal proof share their circuit: one of them names the files for all.
  for (const { proofType, sizeName } of SEAL_PROOFS.filter((proof) => proof.variant === 'v1_1')) {
    for (const circuit of CIRCUITS) {
      const found = await executor.findParameters(circuit, proofType, { scratch: tmpdir() })
      listed.push({ circuit, sizeName, ...found })
    }
  }
  return listed
}
