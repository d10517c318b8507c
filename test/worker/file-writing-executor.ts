import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ProofError } from '../../src/proofs/errors.ts'
import type { SealPiece, TaskContext, TaskExecutor } from '../../src/proofs/task-executor.ts'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import type { WorkerExecutor } from '../../src/worker/task-tools.ts'
import { type Events, PROOF } from './sector-at-hand.ts'

const PIECE: SealPiece = { commitment: '44'.repeat(32), paddedBytes: 2048 }

/**
 * Writes what each phase leaves, in names and lengths. Like the proofs library it never looks at what is there:
 * only the worker keeps it from building on the wrong files.
 */
export class FileWritingExecutor {
  readonly events: Events
  /** Each task with its name, as it was asked for. */
  readonly tasks: { name: string; task: Record<string, unknown>; context: TaskContext }[] = []
  /** What a cache held when PC1 or PC2 began, by file name. */
  found: string[] = []
  /** Methods that break off after this many of their files. */
  readonly breakAfter = new Map<string, number>()
  commit2Possible = true

  constructor(events: Events) {
    this.events = events
  }

  asExecutor(more: Partial<TaskExecutor> = {}): WorkerExecutor {
    return Object.assign(this, more) as unknown as WorkerExecutor
  }

  async canCommit2(): Promise<boolean> {
    return this.commit2Possible
  }

  async commit2Lacks(): Promise<string> {
    return (await this.canCommit2()) ? '' : 'porep.params is missing'
  }

  async addPiece(task: { unsealed: string }, context: TaskContext): Promise<SealPiece> {
    this.#note('addPiece', task, context)
    await writeFile(task.unsealed, Buffer.alloc(PROOF.sectorSize))
    return PIECE
  }

  async preCommit1(task: { cache: string; sealed: string }, context: TaskContext): Promise<Uint8Array> {
    this.#note('preCommit1', task, context)
    await this.#write('preCommit1', task.cache, cacheFileBytes(PROOF, 'pc1'))
    await writeFile(task.sealed, Buffer.alloc(PROOF.sectorSize))
    return Buffer.from('"output of PC1"')
  }

  async preCommit2(task: { cache: string }, context: TaskContext) {
    this.#note('preCommit2', task, context)
    await this.#write('preCommit2', task.cache, cacheFileBytes(PROOF, 'pc2'))
    return { commD: '55'.repeat(32), commR: '66'.repeat(32).replace(/^66/, '06') }
  }

  async commit1(task: { output: string }, context: TaskContext): Promise<void> {
    this.#note('commit1', task, context)
    await writeFile(task.output, '{"proof":"of C1"}')
  }

  async commit2(task: { input: string }, context: TaskContext): Promise<Uint8Array> {
    this.#note('commit2', { ...task, text: await readFile(task.input, 'utf8') }, context)
    return Buffer.alloc(192, 7)
  }

  async finalize(task: { cache: string }, context: TaskContext): Promise<void> {
    this.#note('finalize', task, context)
    const kept = cacheFileBytes(PROOF, 'finalized')
    for (const name of cacheFileBytes(PROOF, 'pc2').keys()) {
      if (!kept.has(name)) await rm(join(task.cache, name), { force: true })
    }
  }

  async unseal(task: { unsealed: string }, context: TaskContext): Promise<void> {
    this.#note('unseal', task, context)
    await writeFile(task.unsealed, Buffer.alloc(PROOF.sectorSize))
  }

  async freeUnsealed(task: object, context: TaskContext): Promise<void> {
    this.#note('freeUnsealed', task, context)
  }

  async vanillaPost(task: object, context: TaskContext): Promise<Uint8Array> {
    this.#note('vanillaPost', task, context)
    return Buffer.from('vanilla')
  }

  /** The latest task of a name. */
  last(name: string): Record<string, unknown> {
    const found = this.tasks.findLast((each) => each.name === name)
    if (found === undefined) throw new Error(`${name} was never run`)
    return found.task
  }

  #note(name: string, task: object, context: TaskContext): void {
    this.events.push(`run ${name}`)
    this.tasks.push({ name, task: { ...task }, context })
  }

  async #write(name: string, directory: string, files: ReadonlyMap<string, number>): Promise<void> {
    await mkdir(directory, { recursive: true })
    this.found = (await readdir(directory)).sort()
    let left = this.breakAfter.get(name) ?? Number.POSITIVE_INFINITY
    for (const [file, bytes] of files) {
      if (left-- <= 0) {
        throw new ProofError({ code: 'CHILD_DIED', level: 'temporary', message: `${name} was killed` })
      }
      await writeFile(join(directory, file), Buffer.alloc(bytes))
    }
  }
}
