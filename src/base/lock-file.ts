import { randomUUID } from 'node:crypto'
import { link, readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { errorCode, SealyardError } from './errors.ts'

/** A lock that this process holds. */
export interface LockFile {
  readonly path: string
  /** Gives the lock up; the second call does nothing. */
  release(): Promise<void>
}

/** Who holds a lock: enough to tell whether that very process still runs. */
interface Holder {
  readonly pid: number
  /** Clock ticks between boot and the start of the process, from /proc; a reused pid has another. */
  readonly startTicks: string
  readonly bootId: string
  readonly pidNamespace: string
  readonly host: string
}

/** A holder whose process cannot be seen from here (another container or host) shows life this often. */
const HEARTBEAT_MS = 10_000
const HEARTBEAT_LOST_MS = 60_000

/**
 * Takes the lock of a repo, so that two daemons never share one.
 *
 * Node has no flock: the lock is a file that link(2) creates whole or not at all, naming its holder. A lock
 * whose holder is dead (kill -9, reboot) is taken over. Taking over is guarded by a lock of its own: two
 * newcomers may both find the holder dead, and the slower one must not remove the lock of the faster.
 * @throws SealyardError REPO_LOCKED (permanent) naming the holder's pid
 */
export async function lockFile(path: string): Promise<LockFile> {
  const own = await describeSelf()
  await take(path, own, 0)
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }, HEARTBEAT_MS)
  heartbeat.unref()
  let held = true
  return {
    path,
    async release() {
      if (!held) return
      held = false
      clearInterval(heartbeat)
      if (sameHolder(await readHolder(path), own)) await rm(path, { force: true })
    },
  }
}

/** @returns the pid in the lock file when that process still runs, else null */
export async function lockHolder(path: string): Promise<number | null> {
  const holder = await readHolder(path)
  return holder !== null && (await isAlive(path, holder)) ? holder.pid : null
}

async function take(path: string, own: Holder, depth: number): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    if (await create(path, own)) return
    const holder = await readHolder(path)
    if (holder === null) {
      // Released between our two looks, or no lock file of ours; the latter must not be removed.
      if (await exists(path)) throw foreignFile(path)
      continue
    }
    if (depth > 2 || (await isAlive(path, holder))) throw heldBy(path, holder)
    const guard = `${path}.takeover`
    await take(guard, own, depth + 1)
    try {
      if (sameHolder(await readHolder(path), holder)) await rm(path, { force: true })
    } finally {
      await rm(guard, { force: true })
    }
  }
  throw new SealyardError({
    code: 'REPO_LOCKED',
    level: 'temporary',
    message: `${path} changes hands all the time; is another daemon starting on this repo?`,
  })
}

/** link(2) fails when the name exists, and what it makes is complete: nobody reads half a lock. */
async function create(path: string, own: Holder): Promise<boolean> {
  const temporary = `${path}.${randomUUID()}`
  // Durable before it is linked: a power cut must not leave an empty lock, which says of nobody that he died.
  await writeFile(temporary, `${JSON.stringify(own)}\n`, { flag: 'wx', mode: 0o644, flush: true })
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

async function isAlive(path: string, holder: Holder): Promise<boolean> {
  const own = await describeSelf()
  if (holder.bootId === own.bootId && holder.pidNamespace === own.pidNamespace) {
    return (await startTicks(holder.pid)) === holder.startTicks
  }
  if (holder.host === own.host && holder.bootId !== own.bootId) return false
  const seen = await stat(path).catch(() => null)
  return seen !== null && Date.now() - seen.mtimeMs < HEARTBEAT_LOST_MS
}

async function readHolder(path: string): Promise<Holder | null> {
  const text = await readFile(path, 'utf8').catch(() => '')
  try {
    const holder = JSON.parse(text) as Holder
    return Number.isSafeInteger(holder.pid) && typeof holder.startTicks === 'string' ? holder : null
  } catch {
    return null
  }
}

function sameHolder(a: Holder | null, b: Holder): boolean {
  return a !== null && a.pid === b.pid && a.startTicks === b.startTicks && a.bootId === b.bootId
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

async function describeSelf(): Promise<Holder> {
  return {
    pid: process.pid,
    startTicks: (await startTicks(process.pid)) ?? '',
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    pidNamespace: await readlink('/proc/self/ns/pid').catch(() => ''),
    host: hostname(),
  }
}

/** Field 22 of /proc/<pid>/stat, counted after the command's closing bracket (a command may hold spaces). */
async function startTicks(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  // A zombie holds nothing any more: its parent has only not yet asked how it ended.
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
}

function heldBy(path: string, holder: Holder): SealyardError {
  return new SealyardError({
    code: 'REPO_LOCKED',
    level: 'permanent',
    message: `this repo is in use by process ${holder.pid} on ${holder.host} (${path}); stop it first`,
  })
}

function foreignFile(path: string): SealyardError {
  return new SealyardError({
    code: 'REPO_LOCKED',
    level: 'permanent',
    message: `${path} is not a lock that Sealyard wrote; if no daemon uses this repo, remove the file`,
  })
}
