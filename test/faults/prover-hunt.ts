import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { MortalNode } from './cluster-to-kill.ts'

/** How long a task may take to come by. */
const LIMIT_MS = 60_000
/** Between the child's start and the kill: a task of 2 KiB takes some 10 to 100 ms. */
const MOST_DELAY_MS = 30

/**
 * Kills the prover child of one task, found among the children of its daemon. Which task it is says the daemon's log;
 * the child stands still while it is read.
 * @param random 0 to 1, decides how far the task has come
 */
export async function killProver(node: MortalNode, task: string, random: () => number): Promise<void> {
  const deadline = performance.now() + LIMIT_MS
  const seen = new Set<number>()
  while (performance.now() < deadline) {
    const child = childrenOf(node.pid).find((pid) => !seen.has(pid))
    if (child === undefined) {
      await new Promise((resolve) => setImmediate(resolve))
      continue
    }
    seen.add(child)
    if (!signal(child, 'SIGSTOP')) continue
    const isWanted = (await lastTaskOf(node)) === task
    if (isWanted) {
      signal(child, 'SIGCONT')
      await pause(random() * MOST_DELAY_MS)
      if (signal(child, 'SIGKILL')) return
    } else signal(child, 'SIGCONT')
  }
  throw new Error(`no prover child of ${task} came by within ${LIMIT_MS} ms`)
}

/** Kills a prover child of the daemon, whatever it does. @returns whether there was one */
export function killAnyProver(node: MortalNode): boolean {
  return childrenOf(node.pid).some((pid) => signal(pid, 'SIGKILL'))
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.trim().split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** @returns whether the process was there, and no zombie */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return false
    return process.kill(pid, name)
  } catch {
    return false
  }
}

/** The log is written by a stream of its own: it may be a moment late. */
async function lastTaskOf(node: MortalNode): Promise<string> {
  await pause(15)
  const file = await open(node.log, 'r')
  try {
    const { size } = await file.stat()
    const tail = Buffer.alloc(Math.min(size, 65_536))
    await file.read(tail, 0, tail.length, size - tail.length)
    const starts = [...tail.toString('utf8').matchAll(/"task":"(\w+)","msg":"task started"/g)]
    return starts.at(-1)?.[1] ?? ''
  } finally {
    await file.close()
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
