import { type SpawnOptions, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { benchError } from './errors.ts'

/** Servers are often where only root's PATH looks. */
const MORE_PLACES = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** @returns the full path of an installed program, or null */
export function findProgram(name: string): string | null {
  const places = [...(process.env.PATH ?? '').split(delimiter), ...MORE_PLACES]
  for (const place of places) {
    const path = join(place, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not there; the next place may have it.
    }
  }
  return null
}

/** @throws BenchError NO_PEER */
export function needProgram(name: string, advice: string): string {
  const path = findProgram(name)
  if (path === null) throw benchError('NO_PEER', `${name} is not installed; ${advice}`)
  return path
}

/**
 * Runs a program to its end.
 * @returns what it wrote to stdout
 * @throws BenchError PEER_FAILED with its last words; the signal's reason after an abort
 */
export async function run(program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  signal.throwIfAborted()
  const options: SpawnOptions = { stdio: ['ignore', 'pipe', 'pipe'], signal }
  const child = spawn(program, args, options)
  let [out, err] = ['', '']
  child.stdout?.on('data', (data: Buffer) => {
    out += data.toString()
  })
  child.stderr?.on('data', (data: Buffer) => {
    err += data.toString()
  })
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (cause) => {
      // A program that an abort ends may yet do something: whoever tidies up after it waits for its end.
      if (!signal.aborted || child.pid === undefined) reject(startFailed(program, cause))
    })
    child.on('close', (code) => (signal.aborted ? reject(signal.reason) : resolve(code)))
  })
  if (status === 0) return out
  signal.throwIfAborted()
  const words = err.trim().split('\n').at(-1) ?? ''
  throw benchError('PEER_FAILED', `'${[program, ...args].join(' ')}' ended with status ${status}: ${words}`)
}

function startFailed(program: string, cause: unknown) {
  return benchError('PEER_FAILED', `'${program}' could not be started`, cause)
}
