import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { benchError } from './errors.ts'

/** A program of this room that runs as a process of its own, so that its CPU can be told apart. */
export interface ChildEntry {
  readonly pid: number
  /** The first thing it said. */
  readonly answer: unknown
  stop(): Promise<void>
}

/**
 * Starts `<name>.ts` (or what it was compiled to) with one argument, and waits for its first message.
 * @throws BenchError PEER_FAILED when it ends without one
 */
export async function startEntry(name: string, argument: unknown, signal: AbortSignal): Promise<ChildEntry> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const file = fileURLToPath(new URL(`./${name}.${extension}`, import.meta.url))
  const child = fork(file, [JSON.stringify(argument)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    child.kill()
    await ended
  }
  const answer = await new Promise<unknown>((resolve, reject) => {
    const interrupt = () => reject(signal.reason)
    signal.addEventListener('abort', interrupt, { once: true })
    child.once('message', (message) => {
      signal.removeEventListener('abort', interrupt)
      resolve(message)
    })
    child.once('error', reject)
    child.once('exit', (status) => reject(benchError('PEER_FAILED', `${name} ended with status ${status}`)))
  }).catch(async (cause: unknown) => {
    await stop()
    throw cause
  })
  return { pid: child.pid ?? 0, answer, stop }
}
