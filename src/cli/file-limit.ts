import { readFile } from 'node:fs/promises'
import { SealyardError } from '../base/errors.ts'

/**
 * Open files that a daemon must be allowed: a C2 or a tree of 16 parts takes some dozens, a connection to the front
 * door up to three. Below it a busy node would fail in the middle of a transfer with EMFILE.
 */
export const LEAST_OPEN_FILES = 4096
/** A connection's socket, the sector file it is sent, and its tunnel to the control plane. */
const FILES_PER_CONNECTION = 3
/** What connections may never take: running tasks, state, watches and logs need them. */
const FILES_FOR_WORK = 1024
/** What lotus asks for; what the message tells operators to set. */
const ADVISED_OPEN_FILES = 100_000

/**
 * Refuses to start with a limit that a busy node would hit. Node has raised the soft limit to the hard one by now.
 * @throws SealyardError FILE_LIMIT, saying what to set
 */
export async function assertOpenFileLimit(least = LEAST_OPEN_FILES): Promise<void> {
  const limit = await ownOpenFileLimit()
  if (limit >= least) return
  throw new SealyardError({
    code: 'FILE_LIMIT',
    level: 'permanent',
    message:
      `this process may have ${limit} files open, a daemon needs at least ${least}; raise the limit with ` +
      `'ulimit -Hn ${ADVISED_OPEN_FILES}', or LimitNOFILE=${ADVISED_OPEN_FILES} in its systemd unit, and start it again`,
  })
}

/** How many connections fit the limit of open files; never more than `wanted`. */
export function affordableConnections(wanted: number, openFiles: number): number {
  return Math.min(wanted, Math.floor((openFiles - FILES_FOR_WORK) / FILES_PER_CONNECTION))
}

/** The soft limit of this process. */
export async function ownOpenFileLimit(): Promise<number> {
  return openFileLimit(await readFile('/proc/self/limits', 'utf8'))
}

/** The soft limit in the text of `/proc/<pid>/limits`; Infinity for "unlimited" or a kernel that does not say. */
export function openFileLimit(limits: string): number {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1]
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}
