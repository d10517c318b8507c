import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { benchError } from './errors.ts'

/** A program of this room that runs as a process of its own, so that its CPU can be told apart. */
export interface ChildEntry {
  readonly pid: number
  /** The first thing it said. */
  readonly answer: unknown
  /** Sends a message and waits for the next one back. @throws BenchError PEER_FAILED when it ends instead */
  ask(message: unknown): Promise<unknown>
  stop(): Promise<void>
}

/**
 * Starts `<name>.ts` (or what it was compiled to) with one argument, and waits for its first message.
 * @param prefix program and arguments that start it elsewhere, such as `ip netns exec <name>`
 * @throws BenchError PEER_FAILED when it ends without one; the signal's reason after an abort
 */
export async function startEntry(
  name: string,
  argument: unknown,
  signal: AbortSignal,
  prefix: readonly string[] = [],
): Promise<ChildEntry> {
  signal.throwIfAborted()
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const file = fileURLToPath(new URL(`./${name}.${extension}`, import.meta.url))
  const [execPath = process.execPath, ...before] = prefix
  const execArgv = prefix.length === 0 ? process.execArgv : [...before, process.execPath, ...process.execArgv]
  const child = fork(file, [JSON.stringify(argument)], {
    execPath,
    execArgv,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    child.kill()
    await ended
  }
  const answer = await nextMessage(name, child, signal).catch(async (cause: unknown) => {
    await stop()
    throw cause
  })
  const ask = (message: unknown) => {
    const next = nextMessage(name, child, signal)
    child.send(message as object, () => undefined)
    return next
  }
  return { pid: child.pid ?? 0, answer, ask, stop }
}

function nextMessage(name: string, child: ChildProcess, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      signal.removeEventListener('abort', interrupt)
      child.off('message', tell).off('error', reject).off('exit', fail)
      end()
    }
    const interrupt = () => settle(() => reject(signal.reason))
    const tell = (message: unknown) => settle(() => resolve(message))
    const fail = (status: number | null) =>
      settle(() => reject(benchError('PEER_FAILED', `${name} ended with status ${status}`)))
    if (signal.aborted) return interrupt()
    signal.addEventListener('abort', interrupt, { once: true })
    child.once('message', tell).once('error', reject).once('exit', fail)
    if (child.exitCode !== null || child.signalCode !== null) fail(child.exitCode)
  })
}
