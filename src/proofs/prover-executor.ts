import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import * as answers from './answers.ts'
import { childEnvironment, isSmall } from './child-environment.ts'
import { proofError } from './errors.ts'
import type { Circuit, FoundParameters } from './parameters.ts'
import { parentsTrouble } from './parents-directory.ts'
import { type ChildTask, type ProverCommand, runChild } from './prover-child.ts'
import type {
  AddPieceTask,
  Commit1Task,
  Commit2Task,
  FinalizeTask,
  FreeUnsealedTask,
  PieceCommitmentTask,
  PostChallengesTask,
  PostKind,
  PostTask,
  PreCommit1Task,
  PreCommit2Task,
  ReadUnsealedTask,
  SealCommitments,
  SealPiece,
  TaskContext,
  TaskExecutor,
  UnsealTask,
  VanillaPostTask,
  VerifyPostTask,
  VerifySealTask,
} from './task-executor.ts'

export interface ProverExecutorOptions {
  readonly command: ProverCommand
  readonly parameterDirectory: string
  /** What children inherit. */
  readonly env: NodeJS.ProcessEnv
  readonly log: Logger
  readonly clock: Clock
}

/** Whose task it is, and on what. */
interface Subject {
  readonly proofType: number
  readonly sector: string | null
}

/** Seals: every task runs in a child of its own, in a private directory below the context's scratch. */
export class ProverExecutor implements TaskExecutor {
  readonly kind = 'prover'
  readonly description = 'prover: seals with the public Filecoin proofs'
  readonly #options: ProverExecutorOptions
  /** Proof types whose parents file this process has seen checked. */
  readonly #parentsChecked = new Set<number>()

  constructor(options: ProverExecutorOptions) {
    this.#options = options
  }

  async addPiece(task: AddPieceTask, context: TaskContext): Promise<SealPiece> {
    const { sector, ...fields } = task
    const child = { name: 'add-piece', sector: sectorField(sector), ...fields }
    const run = () => this.#run(of(sector), child, context, answers.piece)
    // With no piece before it the file is made anew, whatever a killed task left.
    return task.existingPieces.length > 0 ? run() : withNewFile(task.unsealed, run)
  }

  pieceCommitment(task: PieceCommitmentTask, context: TaskContext): Promise<SealPiece> {
    const { proofType, ...fields } = task
    return this.#run(
      about(proofType),
      { name: 'piece-commitment', proof: name(proofType), ...fields },
      context,
      answers.piece,
    )
  }

  async preCommit1(task: PreCommit1Task, context: TaskContext): Promise<Uint8Array> {
    const { sector, ...fields } = task
    const child = { name: 'pre-commit-1', sector: sectorField(sector), ...fields }
    return Buffer.from((await this.#run(of(sector), child, context, answers.phase1)).phase1Output)
  }

  preCommit2(
    { sector, sealed, cache, phase1Output }: PreCommit2Task,
    context: TaskContext,
  ): Promise<SealCommitments> {
    const text = Buffer.from(phase1Output).toString('utf8')
    const child = { name: 'pre-commit-2', sector: sectorField(sector), sealed, cache, phase1Output: text }
    return this.#run(of(sector), child, context, answers.commitments)
  }

  async commit1(task: Commit1Task, context: TaskContext): Promise<void> {
    const { sector, ...fields } = task
    refuseExisting(task.output)
    const child = { name: 'commit-1', sector: sectorField(sector), ...fields }
    await withNewFile(task.output, () => this.#run(of(sector), child, context, answers.nothing))
  }

  async commit2({ sector, input }: Commit2Task, context: TaskContext): Promise<Uint8Array> {
    const child = { name: 'commit-2', sector: sectorField(sector), input }
    return (await this.#run(of(sector), child, context, answers.proof)).proof
  }

  async verifySeal(task: VerifySealTask, context: TaskContext): Promise<boolean> {
    const { sector, proof, ...fields } = task
    const child = { name: 'verify-seal', sector: sectorField(sector), ...fields, proof: base64(proof) }
    return (await this.#run(of(sector), child, context, answers.verdict)).valid
  }

  async finalize({ sector, cache }: FinalizeTask, context: TaskContext): Promise<void> {
    await this.#run(
      of(sector),
      { name: 'finalize', sector: sectorField(sector), cache },
      context,
      answers.nothing,
    )
  }

  async unseal(task: UnsealTask, context: TaskContext): Promise<void> {
    const { sector, ...fields } = task
    const run = () =>
      this.#inPrivate(context, async (directory) => {
        const scratchCache = join(directory, 'cache')
        const child = { name: 'unseal', sector: sectorField(sector), ...fields, scratchCache }
        await this.#runIn(directory, of(sector), child, context, answers.nothing)
      })
    await (existsSync(task.unsealed) ? run() : withNewFile(task.unsealed, run))
  }

  async readUnsealed(task: ReadUnsealedTask, context: TaskContext): Promise<number> {
    const { proofType, ...fields } = task
    refuseExisting(task.output)
    const child = { name: 'read-unsealed', proof: name(proofType), ...fields }
    const run = () => this.#run(about(proofType), child, context, answers.bytesRead)
    return (await withNewFile(task.output, run)).bytes
  }

  async freeUnsealed(task: FreeUnsealedTask, context: TaskContext): Promise<void> {
    const { proofType, ...fields } = task
    const child = { name: 'free-unsealed', proof: name(proofType), ...fields }
    await this.#run(about(proofType), child, context, answers.nothing)
  }

  async postChallenges(task: PostChallengesTask, context: TaskContext): Promise<Map<number, number[]>> {
    const { proofType, ...fields } = task
    const child = { name: 'post-challenges', proof: name(proofType), ...fields }
    const found = await this.#run(about(proofType), child, context, answers.challenges)
    return new Map(found.challenges.map((each) => [each.sector, each.challenges]))
  }

  async vanillaPost(task: VanillaPostTask, context: TaskContext): Promise<Uint8Array> {
    const { sector, ...fields } = task
    const child = { name: 'vanilla-post', sector: sectorField(sector), ...fields }
    return (await this.#run(of(sector), child, context, answers.vanillaProof)).vanillaProof
  }

  windowPost(task: PostTask, context: TaskContext): Promise<Uint8Array> {
    return this.#provePost('window', task, context)
  }

  verifyWindowPost(task: VerifyPostTask, context: TaskContext): Promise<boolean> {
    return this.#verifyPost('window', task, context)
  }

  /** Which parameters of a circuit lie in the parameter directory. */
  findParameters(circuit: Circuit, proofType: number, context: TaskContext): Promise<FoundParameters> {
    const child = { name: 'parameters', circuit, proof: name(proofType) }
    return this.#run(about(proofType), child, context, answers.foundParameters)
  }

  #provePost(kind: PostKind, task: PostTask, context: TaskContext): Promise<Uint8Array> {
    const { proofType, miner, randomness, vanillaProofs: each } = task
    return this.#inPrivate(context, async (directory) => {
      const vanillaProofs = join(directory, 'vanilla-proofs')
      await writeFile(vanillaProofs, Buffer.concat(each))
      const lengths = each.map((vanilla) => vanilla.length)
      const fields = { kind, proof: name(proofType), miner, randomness, vanillaProofs, lengths }
      const child = { name: 'prove-post', ...fields }
      return (await this.#runIn(directory, about(proofType), child, context, answers.proof)).proof
    })
  }

  async #verifyPost(kind: PostKind, task: VerifyPostTask, context: TaskContext): Promise<boolean> {
    const { proofType, proof, ...fields } = task
    const child = { name: 'verify-post', kind, proof: name(proofType), ...fields, post: base64(proof) }
    return (await this.#run(about(proofType), child, context, answers.verdict)).valid
  }

  #run<T>(subject: Subject, task: ChildTask, context: TaskContext, output: z.ZodType<T>): Promise<T> {
    return this.#inPrivate(context, (directory) => this.#runIn(directory, subject, task, context, output))
  }

  async #inPrivate<T>(context: TaskContext, work: (directory: string) => Promise<T>): Promise<T> {
    const directory = await mkdtemp(join(context.scratch, 'prover-')).catch((cause: unknown) => {
      throw proofError('IO', `no private directory can be made in ${context.scratch}`, { cause })
    })
    try {
      return await work(directory)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }

  async #runIn<T>(
    directory: string,
    { proofType, sector }: Subject,
    task: ChildTask,
    context: TaskContext,
    output: z.ZodType<T>,
  ): Promise<T> {
    const { command, parameterDirectory, env, log, clock } = this.#options
    const verifyParents = this.#verifiesParents(task.name, proofType)
    const environment = childEnvironment({ directory, parameterDirectory, env, proofType, verifyParents })
    const answer = await runChild({
      command,
      environment,
      directory,
      task,
      sector,
      signal: context.signal,
      onProgress: (message) => context.onProgress?.({ message, doneBytes: null, totalBytes: null }),
      log,
      clock,
    }).catch(async (failure: unknown) => {
      const trouble = labels(task.name) ? await parentsTrouble(failure, environment, sector) : null
      throw trouble ?? failure
    })
    if (verifyParents) this.#parentsChecked.add(proofType)
    const parsed = output.safeParse(answer)
    if (parsed.success) return parsed.data
    const message = `the prover's answer to ${task.name} is none: ${z.prettifyError(parsed.error)}`
    throw proofError('PROVER_PROTOCOL', message, { sector })
  }

  /**
   * A parents file whose making was killed is later taken as it is, and the labels are wrong. Checking reads it all:
   * for a large one once a process is enough.
   */
  #verifiesParents(task: string, proofType: number): boolean {
    if (!labels(task)) return false
    return isSmall(proofType) || !this.#parentsChecked.has(proofType)
  }
}

/** Tasks that read the file of SDR parents. */
function labels(task: string): boolean {
  return task === 'pre-commit-1' || task === 'unseal'
}

function of(sector: SectorRef): Subject {
  return { proofType: sector.ProofType, sector: sectorName(sector.ID) }
}

function about(proofType: number): Subject {
  return { proofType, sector: null }
}

function name(proofType: number): string {
  return sealProof(proofType).name
}

function sectorField(sector: SectorRef): { proof: string; miner: number; number: number } {
  return { proof: name(sector.ProofType), miner: sector.ID.Miner, number: sector.ID.Number }
}

function base64(data: Uint8Array): string {
  return Buffer.from(data).toString('base64')
}

/** An output of another task is not for us to overwrite, nor to remove when this one fails. */
function refuseExisting(output: string): void {
  if (existsSync(output)) throw proofError('BAD_TASK', `${output} is already there; it is not overwritten`)
}

/** A task that fails or is killed leaves no part of the file that it was to make. */
async function withNewFile<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await rm(file, { force: true }).catch(() => undefined)
    throw error
  }
}
