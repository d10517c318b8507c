import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { SealyardError } from '../base/errors.ts'

const run = promisify(execFile)

/** The launchers, from `dist/tour/` or `src/tour/`. */
const BIN = join(import.meta.dirname, '../../bin')

export type Kind = 'sealer' | 'worker'

/** One node of the tour's cluster. */
export interface TourNode {
  readonly name: string
  readonly kind: Kind
  readonly repo: string
  readonly port: number
  readonly env: Readonly<Record<string, string>>
  readonly runArguments: readonly string[]
}

export interface RunningNode extends TourNode {
  readonly url: string
  readonly log: string
  readonly child: ChildProcess
}

/** Types a command as an operator would. @throws SealyardError with what the command said */
export async function command(node: TourNode, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(join(BIN, `sealyard-${node.kind}`), ['--repo', node.repo, ...args], {
      env: { ...process.env, ...node.env, NO_COLOR: '1' },
      maxBuffer: 64 * 2 ** 20,
    })
    return stdout
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? ''
    throw new SealyardError({
      code: 'COMMAND_FAILED',
      level: 'permanent',
      message: `${spell(node, args)} failed: ${said === '' ? String((error as Error).message) : said}`,
    })
  }
}

/** How the command would be typed from the top of the clone. */
export function spell(node: TourNode, args: readonly string[]): string {
  return [`bin/sealyard-${node.kind}`, '--repo', `.tour/${basename(node.repo)}`, ...args].join(' ')
}

export interface Starting {
  /** Told of the process at once, before it answers: somebody has to know of it, whatever happens next. */
  readonly onSpawn?: (node: RunningNode) => Promise<void> | void
  /** Gives the start up. */
  readonly signal?: AbortSignal
  /** Kills the daemon at once, whether it starts, runs or stops. */
  readonly killing?: AbortSignal
}

/** Starts a daemon with its log in a file, and waits until it answers; one that does not is stopped. */
export async function startDaemon(
  node: TourNode,
  logDirectory: string,
  { onSpawn, signal, killing }: Starting = {},
): Promise<RunningNode> {
  signal?.throwIfAborted()
  const log = join(logDirectory, `${node.name}.log`)
  const output = openSync(log, 'a')
  const child = spawn(
    join(BIN, `sealyard-${node.kind}`),
    ['--repo', node.repo, 'run', ...node.runArguments],
    {
      env: { ...process.env, ...node.env },
      stdio: ['ignore', output, output],
      // Ctrl-C reaches the tour alone: it stops the daemons in order.
      detached: true,
    },
  )
  closeSync(output)
  killing?.addEventListener('abort', () => killGroup(child), { once: true })
  const running = { ...node, url: `http://127.0.0.1:${node.port}`, log, child }
  try {
    await onSpawn?.(running)
    await untilHealthy(running, signal)
    return running
  } catch (error) {
    await stopDaemon(running)
    throw error
  }
}

async function untilHealthy(node: RunningNode, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + 60_000
  while (performance.now() < deadline) {
    signal?.throwIfAborted()
    if (node.child.exitCode !== null) throw await diedEarly(node)
    const healthy = await fetch(`${node.url}/healthz`).then(
      (response) => response.ok,
      () => false,
    )
    if (healthy) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new SealyardError({
    code: 'DAEMON_SILENT',
    level: 'permanent',
    message: `${node.name} did not answer on ${node.url} within 60 s; its log is ${node.log}`,
  })
}

async function diedEarly(node: RunningNode): Promise<SealyardError> {
  const lines = (await readFile(node.log, 'utf8')).trim().split('\n')
  return new SealyardError({
    code: 'DAEMON_ENDED',
    level: 'permanent',
    message: `${node.name} ended with status ${node.child.exitCode}: ${lines.at(-1) ?? ''} (log: ${node.log})`,
  })
}

/** A daemon leads a process group of its own; what it runs, such as a prover, is in it and goes with it. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  process.kill(-pid, 'SIGKILL')
}

/** Stops a daemon politely; after the deadline for good. @returns whether it went by itself */
export async function stopDaemon(node: RunningNode, deadlineMs = 30_000): Promise<boolean> {
  if (node.child.exitCode !== null || node.child.signalCode !== null) return true
  const ended = once(node.child, 'exit')
  node.child.kill('SIGTERM')
  const timer = setTimeout(() => killGroup(node.child), deadlineMs)
  await ended
  clearTimeout(timer)
  return node.child.signalCode !== 'SIGKILL'
}
