import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** In /proc/net/tcp: a socket that listens. */
const LISTENING = '0A'

/**
 * Which process listens on a port, as far as the kernel lets this user see: other users' sockets have no owner here.
 * Read while a start fails, so it may block.
 * @returns `4711 (nginx)`, or null
 */
export function portHolder(port: number, proc = '/proc'): string | null {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listenersOn(port, join(proc, 'net', table))))
  if (inodes.size === 0) return null
  const pid = namesIn(proc).find((each) => /^\d+$/.test(each) && holdsSocket(join(proc, each, 'fd'), inodes))
  return pid === undefined ? null : `${pid} (${textOf(join(proc, pid, 'comm')).trim()})`
}

/** Inodes of sockets: `sl local_address rem_address st … uid timeout inode`, addresses and port in hex. */
function listenersOn(port: number, table: string): string[] {
  const rows = textOf(table).split('\n').slice(1)
  return rows.flatMap((row) => {
    const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/)
    return state === LISTENING && Number.parseInt(local.split(':').at(-1) ?? '', 16) === port ? [inode] : []
  })
}

function holdsSocket(directory: string, inodes: ReadonlySet<string>): boolean {
  return namesIn(directory).some((name) => {
    const [, inode = ''] = /^socket:\[(\d+)\]$/.exec(linkOf(join(directory, name))) ?? []
    return inodes.has(inode)
  })
}

// Processes end while they are looked at, and those of others are closed to us: what cannot be read says nothing.

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
