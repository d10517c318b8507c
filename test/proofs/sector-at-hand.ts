import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { builtBinary } from '../../src/proofs/built-binary.ts'
import { ownParameterDirectory } from '../../src/proofs/parameters.ts'
import { ProverExecutor } from '../../src/proofs/prover-executor.ts'
import type { SealCommitments, SealPiece, TaskContext, TaskExecutor } from '../../src/proofs/task-executor.ts'
import { sealProof, unpaddedSize } from '../../src/sectors/proof-types.ts'

export const TICKET = '01'.repeat(32)
export const SEED = '03'.repeat(32)
/** V1_1 of the test sizes. */
export const PROOF_2KIB = 5
export const PROOF_8MIB = 6

export async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-proofs-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Where the executor of a test keeps what it would keep in the user's cache. */
export function environment(directory: string): NodeJS.ProcessEnv {
  const { FIL_PROOFS_PARAMETER_CACHE: _, FIL_PROOFS_PARENT_CACHE: __, ...env } = process.env
  return { ...env, SEALYARD_CACHE: join(directory, 'sealyard-cache') }
}

/** The files of one sector below a temporary directory, and the executor under test. */
export class SectorAtHand {
  readonly directory: string
  readonly executor: TaskExecutor
  readonly sector: { ID: { Miner: number; Number: number }; ProofType: number }
  readonly dataBytes: number

  constructor(directory: string, proofType: number, executor: TaskExecutor) {
    this.directory = directory
    this.executor = executor
    this.sector = { ID: { Miner: 1000, Number: 7 }, ProofType: proofType }
    this.dataBytes = unpaddedSize(sealProof(proofType).sectorSize)
  }

  /** With the prover that set-up has built. */
  static async withProver(t: ExecutionContext, proofType: number): Promise<SectorAtHand> {
    const directory = await temporary(t)
    const env = environment(directory)
    const executor = new ProverExecutor({
      command: { file: builtBinary('sealyard-prover'), args: [] },
      parameterDirectory: ownParameterDirectory(env),
      env,
      log: silentLogger,
      clock: systemClock,
    })
    const at = new SectorAtHand(directory, proofType, executor)
    await mkdir(at.context().scratch)
    return at
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  context(more: Partial<TaskContext> = {}): TaskContext {
    return { scratch: this.file('scratch'), ...more }
  }

  get paths(): { unsealed: string; sealed: string; cache: string } {
    return { unsealed: this.file('unsealed'), sealed: this.file('sealed'), cache: this.file('cache') }
  }

  /** Data that fills the sector and repeats nowhere soon. */
  data(): Buffer {
    return Buffer.from(Uint8Array.from({ length: this.dataBytes }, (_, at) => (at * 31 + (at >> 8)) % 253))
  }

  async addPiece(context = this.context()): Promise<SealPiece> {
    await writeFile(this.file('data'), this.data())
    const source = { kind: 'file', file: this.file('data'), dataBytes: this.dataBytes } as const
    const { unsealed } = this.paths
    const { sector, dataBytes: pieceBytes } = this
    return this.executor.addPiece({ sector, unsealed, existingPieces: [], pieceBytes, source }, context)
  }

  preCommit1(piece: SealPiece, context = this.context()): Promise<Uint8Array> {
    const task = { sector: this.sector, ...this.paths, ticket: TICKET, pieces: [piece] }
    return this.executor.preCommit1(task, context)
  }

  preCommit2(phase1Output: Uint8Array): Promise<SealCommitments> {
    const { sealed, cache } = this.paths
    return this.executor.preCommit2({ sector: this.sector, sealed, cache, phase1Output }, this.context())
  }

  /** Up to PC2. */
  async seal(): Promise<SealCommitments & { piece: SealPiece }> {
    const piece = await this.addPiece()
    return { ...(await this.preCommit2(await this.preCommit1(piece))), piece }
  }

  commit1(sealed: SealCommitments & { piece: SealPiece }, output = this.file('c1.json')): Promise<void> {
    const { piece, commD, commR } = sealed
    const { unsealed: _, ...paths } = this.paths
    const task = {
      sector: this.sector,
      ...paths,
      commD,
      commR,
      ticket: TICKET,
      seed: SEED,
      pieces: [piece],
      output,
    }
    return this.executor.commit1(task, this.context())
  }

  finalize(): Promise<void> {
    return this.executor.finalize({ sector: this.sector, cache: this.paths.cache }, this.context())
  }

  /** The whole sector, into `again`. */
  unseal(commD: string, context = this.context()): Promise<void> {
    const { sealed } = this.paths
    const range = { offset: 0, size: this.dataBytes }
    const task = {
      sector: this.sector,
      sealed,
      unsealed: this.file('again'),
      ticket: TICKET,
      commD,
      ...range,
    }
    return this.executor.unseal(task, context)
  }

  async sameFiles(a: string, b: string): Promise<boolean> {
    const [first, second] = await Promise.all([readFile(this.file(a)), readFile(this.file(b))])
    return first.equals(second)
  }

  async list(directory: string): Promise<string[]> {
    return (await readdir(this.file(directory))).sort()
  }
}
