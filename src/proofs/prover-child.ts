import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { errorCode } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { ChildLog } from './child-log.ts'
import { codeOfKind, type ProofError, proofError } from './errors.ts'
import { LineSplitter } from './line-splitter.ts'

/** What to start. */
export interface ProverCommand {
  readonly file: string
  readonly args: readonly string[]
}

/** A task as the child takes it: a name and fields, see crates/prover/protocol.md. */
export interface ChildTask {
  readonly name: string
  readonly [field: string]: unknown
}

export interface ChildOptions {
  readonly command: ProverCommand
  readonly environment: NodeJS.ProcessEnv
  /** Its working directory, private to it: the proofs crates read a settings file there. */
  readonly directory: string
  readonly task: ChildTask
  /** For the log and for errors. */
  readonly sector: string | null
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((message: string) => void) | undefined
  readonly log: Logger
  readonly clock: Clock
}

/** The longest line that a child may say: a vanilla winning PoSt of 64 GiB has some 500 KB in base64. */
const MAX_ANSWER_BYTES = 4 * 2 ** 20
/** A child is ready in 3 ms; on a machine that swaps it may take a while. */
const READY_MS = 60_000
/** How long a child may take to end after its answer. */
const EXIT_MS = 10_000
const MAX_PROGRESS_PER_SECOND = 20

const answerLine = z.union([
  z.object({ ready: z.object({ prover: z.string() }) }),
  z.object({ id: z.string(), progress: z.object({ message: z.string() }) }),
  z.object({ id: z.string(), output: z.record(z.string(), z.unknown()) }),
  z.object({ id: z.string().nullable(), error: z.object({ kind: z.string(), message: z.string() }) }),
  z.object({ id: z.string(), panic: z.string() }),
])

type AnswerLine = z.infer<typeof answerLine>
type Final = { readonly output: Record<string, unknown> } | { readonly failure: ProofError }

const TASK_ID = '1'

/**
 * Runs one task in one child and waits for the child's end.
 * @returns the answer's output, to be checked by the caller
 * @throws ProofError; the child is gone by then
 */
export function runChild(options: ChildOptions): Promise<Record<string, unknown>> {
  if (options.signal?.aborted) return Promise.reject(aborted(options))
  return new ProverChild(options).outcome
}

function aborted({ task, sector }: ChildOptions): ProofError {
  return proofError('TASK_ABORTED', `${task.name} was stopped before its end`, { sector })
}

/**
 * One child and its one task.
 *
 *     starting ──ready──► working ──output, error, panic──► answered ──exit──► ended
 *         └───────────────────┴── exit: PROVER_DIED ──────────────────────────►
 *
 * The signal, a line that does not belong here or a deadline kills the child in any state; what comes of the task
 * is decided in one place, `#end`, when the child is gone and nothing can write any more.
 */
class ProverChild {
  readonly outcome: Promise<Record<string, unknown>>
  readonly #options: ChildOptions
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lines = new LineSplitter(MAX_ANSWER_BYTES)
  readonly #log: ChildLog
  readonly #timers = new AbortController()
  #state: 'starting' | 'working' | 'answered' | 'ended' = 'starting'
  #final: Final | null = null
  /** Why the child had to be killed. */
  #fault: ProofError | null = null
  #progressSecond = -1
  #progressCount = 0

  constructor(options: ChildOptions) {
    this.#options = options
    const { command, directory, environment, log, task, sector } = options
    this.#log = new ChildLog(log, { task: task.name, sector })
    this.#child = spawn(command.file, command.args, {
      cwd: directory,
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.outcome = new Promise((resolve, reject) => this.#listen(resolve, reject))
  }

  #listen(resolve: (output: Record<string, unknown>) => void, reject: (error: Error) => void): void {
    const { signal, clock } = this.#options
    const stop = () => this.#kill(aborted(this.#options))
    signal?.addEventListener('abort', stop, { once: true })
    this.#child.once('error', (cause) => {
      this.#fault ??= this.#notStarted(cause)
      // Without descriptors left, no pipe was made and no 'close' will come.
      if (!this.#hasPipes) reject(this.#fault)
    })
    if (!this.#hasPipes) return
    this.#child.stdout.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#child.stderr.on('data', (chunk: Buffer) => this.#log.push(chunk, clock.monotonicMs()))
    // A child that has gone does not read; its end says more than EPIPE.
    this.#child.stdin.on('error', () => undefined)
    this.#child.once('close', (status, killedBy) => {
      signal?.removeEventListener('abort', stop)
      const final = this.#end(status, killedBy)
      if ('output' in final) resolve(final.output)
      else reject(final.failure)
    })
    this.#deadline(READY_MS, () => {
      if (this.#state !== 'starting') return
      this.#kill(this.#error('PROVER_PROTOCOL', `the prover was not ready after ${READY_MS / 1000} s`))
    })
  }

  /** Node makes none when the process has no descriptors left, whatever the types say. */
  get #hasPipes(): boolean {
    const streams: readonly unknown[] = [this.#child.stdin, this.#child.stdout, this.#child.stderr]
    return streams.every((stream) => stream !== undefined && stream !== null)
  }

  #notStarted(cause: unknown): ProofError {
    if (['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'].includes(errorCode(cause) ?? '')) {
      const message = `the prover cannot be started now (${errorCode(cause)}): this host has no more files, processes or memory to give`
      return this.#error('IO', message, cause)
    }
    return this.#error('PROVER_MISSING', `the prover ${this.#options.command.file} does not start`, cause)
  }

  #read(chunk: Buffer): void {
    for (const line of this.#lines.push(chunk)) {
      if (this.#fault !== null) return
      if (line === null) this.#wrong('a line of more than 4 MiB')
      else this.#take(line)
    }
    if (this.#fault === null && this.#lines.overflowing) this.#wrong('a line of more than 4 MiB')
  }

  #take(text: string): void {
    const parsed = answerLine.safeParse(parseJson(text))
    const line = parsed.success ? parsed.data : null
    if (line === null) this.#wrong(`'${text.slice(0, 200)}'`)
    else if (this.#state === 'starting' && 'ready' in line) this.#begin()
    else if (this.#state !== 'working' || 'ready' in line || line.id !== TASK_ID) {
      this.#wrong(`a line out of turn: '${text.slice(0, 200)}'`)
    } else if ('progress' in line) this.#progress(line.progress.message)
    else this.#answered(line)
  }

  #begin(): void {
    this.#state = 'working'
    this.#child.stdin.write(`${JSON.stringify({ id: TASK_ID, task: this.#options.task })}\n`)
  }

  #progress(message: string): void {
    const second = Math.floor(this.#options.clock.monotonicMs() / 1000)
    if (second !== this.#progressSecond) this.#progressCount = 0
    this.#progressSecond = second
    if (this.#progressCount++ < MAX_PROGRESS_PER_SECOND) this.#options.onProgress?.(message)
  }

  #answered(line: Exclude<AnswerLine, { ready: unknown } | { progress: unknown }>): void {
    this.#state = 'answered'
    if ('output' in line) this.#final = { output: line.output }
    else if ('panic' in line) {
      this.#final = {
        failure: this.#error('PROVER_PANICKED', `${this.#doing} hit a bug in the prover: ${line.panic}`),
      }
    } else this.#final = { failure: this.#refusal(line.error) }
    this.#child.stdin.end()
    this.#deadline(EXIT_MS, () => this.#child.kill('SIGKILL'))
  }

  #refusal({ kind, message }: { kind: string; message: string }): ProofError {
    const code = codeOfKind(kind)
    if (code === null) return this.#error('PROVER_PROTOCOL', `${this.#doing} failed (${kind}): ${message}`)
    return this.#error(code, `${this.#doing}: ${message}`)
  }

  #wrong(what: string): void {
    this.#kill(this.#error('PROVER_PROTOCOL', `the prover said ${what}, which nobody asked for`))
  }

  #kill(fault: ProofError): void {
    if (this.#state === 'ended') return
    this.#fault ??= fault
    this.#child.kill('SIGKILL')
  }

  #deadline(ms: number, late: () => void): void {
    this.#options.clock.sleep(ms, this.#timers.signal).then(late, () => undefined)
  }

  #end(status: number | null, killedBy: string | null): Final {
    this.#state = 'ended'
    this.#timers.abort()
    this.#log.end()
    if (this.#fault !== null) return { failure: this.#fault }
    return this.#final ?? { failure: this.#error('PROVER_DIED', this.#death(status, killedBy)) }
  }

  #death(status: number | null, killedBy: string | null): string {
    const how =
      killedBy === null ? `ended with status ${status}` : `was killed by ${killedBy}${HINTS[killedBy] ?? ''}`
    const words = this.#log.lastWords
    return `the prover ${how} during ${this.#doing}${words === '' ? '' : `; its last words: ${words}`}`
  }

  get #doing(): string {
    const { task, sector } = this.#options
    return sector === null ? task.name : `${task.name} of ${sector}`
  }

  #error(code: Parameters<typeof proofError>[0], message: string, cause?: unknown): ProofError {
    return proofError(code, message, { sector: this.#options.sector, cause })
  }
}

/** What a signal that we did not send mostly means. */
const HINTS: Readonly<Record<string, string>> = {
  SIGKILL: ' (the kernel does this when memory runs out)',
  SIGBUS: ' (a mapped file could not be written or read: a full or failing disk)',
  SIGILL: ' (it was built for another kind of processor: run "npm run build" on this host)',
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
