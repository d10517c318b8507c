import { tmpdir } from 'node:os'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { builtBinary } from './built-binary.ts'
import { type Circuit, lackingWords, parameterDirectories } from './parameters.ts'
import { ProverExecutor, type ProverExecutorOptions } from './prover-executor.ts'
import { ShapeExecutor } from './shape-executor.ts'
import type {
  Commit2Task,
  PostKind,
  PostTask,
  TaskContext,
  TaskExecutor,
  VerifyPostTask,
  VerifySealTask,
} from './task-executor.ts'

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
  /** Which files keep it from running C2, directory by directory; '' when it can. */
  commit2Lacks(proofType: number): Promise<string>
  canVerifySeal(proofType: number): Promise<boolean>
  canProvePost(kind: PostKind, proofType: number): Promise<boolean>
}

/** @throws ProofError PROVER_MISSING when the prover has not been built */
export async function openExecutor(options: OpenExecutorOptions): Promise<OpenExecutor> {
  const { kind, parameterCache, log, clock, env = process.env } = options
  if (kind === 'shape') return new ShapeExecutor()
  const command = { file: builtBinary('sealyard-prover'), args: [] }
  return new KnowingProver({ command, env, log, clock }, parameterDirectories(parameterCache, env))
}

type Use = 'canProve' | 'canVerify'

/** Asks which directory has a circuit's parameters; what was whole once is not asked for again. */
class KnowingProver extends ProverExecutor implements OpenExecutor {
  /** One for each directory after the first, which is this one's. */
  readonly #others: readonly ProverExecutor[]
  readonly #found = new Map<string, ProverExecutor>()

  constructor(
    options: Omit<ProverExecutorOptions, 'parameterDirectory'>,
    [first, ...others]: readonly [string, ...string[]],
  ) {
    super({ ...options, parameterDirectory: first })
    this.#others = others.map((parameterDirectory) => new ProverExecutor({ ...options, parameterDirectory }))
  }

  async canCommit2(proofType: number): Promise<boolean> {
    return (await this.#keeper('porep', proofType, 'canProve')) !== null
  }

  async commit2Lacks(proofType: number): Promise<string> {
    if (await this.canCommit2(proofType)) return ''
    const found = [this, ...this.#others].map((each) =>
      each.findParameters('porep', proofType, { scratch: tmpdir() }),
    )
    return (await Promise.all(found)).map(lackingWords).join('; ')
  }

  async canVerifySeal(proofType: number): Promise<boolean> {
    return (await this.#keeper('porep', proofType, 'canVerify')) !== null
  }

  async canProvePost(kind: PostKind, proofType: number): Promise<boolean> {
    return (await this.#keeper(`${kind}-post`, proofType, 'canProve')) !== null
  }

  override async commit2(task: Commit2Task, context: TaskContext): Promise<Uint8Array> {
    const other = await this.#other('porep', task.sector.ProofType, 'canProve')
    return other === null ? super.commit2(task, context) : other.commit2(task, context)
  }

  override async verifySeal(task: VerifySealTask, context: TaskContext): Promise<boolean> {
    const other = await this.#other('porep', task.sector.ProofType, 'canVerify')
    return other === null ? super.verifySeal(task, context) : other.verifySeal(task, context)
  }

  override async windowPost(task: PostTask, context: TaskContext): Promise<Uint8Array> {
    const other = await this.#other('window-post', task.proofType, 'canProve')
    return other === null ? super.windowPost(task, context) : other.windowPost(task, context)
  }

  override async verifyWindowPost(task: VerifyPostTask, context: TaskContext): Promise<boolean> {
    const other = await this.#other('window-post', task.proofType, 'canVerify')
    return other === null ? super.verifyWindowPost(task, context) : other.verifyWindowPost(task, context)
  }

  /** Another directory's executor, when that is the one with the parameters; null: this one, also to say what lacks. */
  async #other(circuit: Circuit, proofType: number, use: Use): Promise<ProverExecutor | null> {
    const keeper = await this.#keeper(circuit, proofType, use)
    return keeper === this ? null : keeper
  }

  async #keeper(circuit: Circuit, proofType: number, use: Use): Promise<ProverExecutor | null> {
    const key = `${circuit} ${proofType} ${use}`
    const known = this.#found.get(key)
    if (known !== undefined) return known
    for (const each of [this, ...this.#others]) {
      const found = await each.findParameters(circuit, proofType, { scratch: tmpdir() })
      if (!found[use]) continue
      this.#found.set(key, each)
      return each
    }
    return null
  }
}
