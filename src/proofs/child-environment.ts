import { join } from 'node:path'
import { sealProof } from '../sectors/proof-types.ts'
import { sealyardCache } from './parameters.ts'

export interface ChildSurroundings {
  /** The child's private directory, on the sealing path: some tasks put files of a sector's size there. */
  readonly directory: string
  readonly parameterDirectory: string
  readonly env: NodeJS.ProcessEnv
  readonly proofType: number
  /** Whether a task checks the file of SDR parents against its digest before it believes it. */
  readonly verifyParents: boolean
}

/** Test sizes: their parents files are small, and cost nothing to keep and to check. */
export function isSmall(proofType: number): boolean {
  return sealProof(proofType).sectorSize <= 8 * 2 ** 20
}

/** What the proofs crates are told; the operator's own FIL_PROOFS_ variables go through. */
export function childEnvironment(surroundings: ChildSurroundings): NodeJS.ProcessEnv {
  const { directory, parameterDirectory, env, proofType, verifyParents } = surroundings
  const child: NodeJS.ProcessEnv = {
    ...env,
    TMPDIR: directory,
    FIL_PROOFS_PARAMETER_CACHE: parameterDirectory,
    RUST_BACKTRACE: '0',
  }
  // The file for 32 GiB has 56 GiB: it stays where other programs of the field keep and find it.
  const named = env.FIL_PROOFS_PARENT_CACHE ?? env.FIL_PROOFS_CACHE_DIR
  if (named === undefined && isSmall(proofType)) {
    child.FIL_PROOFS_PARENT_CACHE = join(sealyardCache(env), 'parents')
  }
  if (verifyParents) child.FIL_PROOFS_VERIFY_CACHE = 'true'
  return child
}
