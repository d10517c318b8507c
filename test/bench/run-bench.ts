import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { TOP } from '../source-files.ts'

export const PROGRAM = join(TOP, 'bin', 'sealyard-bench')
/** Small and quick. */
export const SMALL = ['--size', '1MiB', '--rounds', '2']

export function makeDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sealyard-bench-test-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface Ended {
  readonly pid: number
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export function bench(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...args], (_error, stdout, stderr) => {
      resolve({ pid: child.pid ?? 0, status: child.exitCode, stdout, stderr })
    })
  })
}

/** Runs it in a directory that must be empty afterwards. */
export async function tidyBench(t: ExecutionContext, flag: string, ...args: string[]): Promise<string> {
  const directory = makeDirectory(t)
  const { status, stdout, stderr } = await bench(...args, flag, directory)
  t.is(stderr, '')
  t.is(status, 0)
  t.deepEqual(readdirSync(directory), [])
  return stdout
}
