import { tmpdir } from 'node:os'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { builtBinary } from './built-binary.ts'
import { type Circuit, parameterDirectory } from './parameters.ts'
import { ProverExecutor } from './prover-executor.ts'
import { ShapeExecutor } from './shape-executor.ts'
import type { PostKind, TaskExecutor } from './task-executor.ts'

export interface OpenExecutorOptions {
  readonly kind: 'prover' | 'shape'
  /** Directory of proof parameters, only read; empty: FIL_PROOFS_PARAMETER_CACHE, then Sealyard's own cache. */
  readonly parameterCache: string
  readonly log: Logger
  readonly clock: Clock
  /** What children inherit; the process's own by default. */
  readonly env?: NodeJS.ProcessEnv
}

/** An executor that knows which proofs it has parameters for. */
export interface OpenExecutor extends TaskExecutor {
  canCommit2(proofType: number): Promise<boolean>
  canVerifySeal(proofType: number): Promise<boolean>
  canProvePost(kind: PostKind, proofType: number): Promise<boolean>
}

/** @throws ProofError PROVER_MISSING when the prover has not been built */
export async function openExecutor(options: OpenExecutorOptions): Promise<OpenExecutor> {
  const { kind, parameterCache, log, clock, env = process.env } = options
  if (kind === 'shape') return new ShapeExecutor()
  const command = { file: builtBinary('sealyard-prover'), args: [] }
  return new KnowingProver({
    command,
    parameterDirectory: parameterDirectory(parameterCache, env),
    env,
    log,
    clock,
  })
}

/** Asks what lies in the parameter directory; what was whole once is not asked for again. */
class KnowingProver extends ProverExecutor implements OpenExecutor {
  readonly #whole = new Set<string>()

  canCommit2(proofType: number): Promise<boolean> {
    return this.#has('porep', proofType, 'canProve')
  }

  canVerifySeal(proofType: number): Promise<boolean> {
    return this.#has('porep', proofType, 'canVerify')
  }

  canProvePost(kind: PostKind, proofType: number): Promise<boolean> {
    return this.#has(`${kind}-post`, proofType, 'canProve')
  }

  async #has(circuit: Circuit, proofType: number, use: 'canProve' | 'canVerify'): Promise<boolean> {
    const key = `${circuit} ${proofType} ${use}`
    if (this.#whole.has(key)) return true
    const found = await this.findParameters(circuit, proofType, { scratch: tmpdir() })
    if (found[use]) this.#whole.add(key)
    return found[use]
  }
}
