import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { TOP } from '../source-files.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Typed {
  readonly program: 'sealer' | 'worker'
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Of open files, soft and hard, as a shell's `ulimit -n` sets it. */
  readonly openFiles?: number
}

/** Nobody's surroundings: a test says itself which node it means. */
const NO_NODES = { SEALER_API_INFO: '', MINER_API_INFO: '', WORKER_API_INFO: '' }

/** Runs one of our programs to its end, as a shell would. */
export async function typed({ program, args, env = {}, openFiles }: Typed): Promise<Ended> {
  const bin = join(TOP, 'bin', `sealyard-${program}`)
  const limited = ['-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, bin, ...args]
  const child = spawn(openFiles === undefined ? bin : 'bash', openFiles === undefined ? args : limited, {
    env: { ...process.env, ...NO_NODES, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout, stderr }
}

/** Lines for people: those that are no log lines. */
export function words(ended: Ended): string[] {
  return ended.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
}

/** A directory that goes with the test. */
export async function scratch(t: ExecutionContext<unknown>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-refusal-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}
