import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { SignJWT } from 'jose'
import type { ClusterAtHand } from './cluster-at-hand.ts'
import { type Ended, type Typed, words } from './typed-command.ts'

/** One bad input: what is typed, how it ends, and what the one line says. */
export interface Refusal {
  readonly name: string
  readonly typed: Typed
  /** 1 by default: refused; 2 is wrong usage. */
  readonly code?: number
  readonly line: RegExp
}

/** What no refusal may change. */
export async function stateOf(cluster: ClusterAtHand): Promise<unknown> {
  const api = await cluster.api()
  const { directory } = cluster
  const repos = ['sealer', ...cluster.workers.keys()]
  const index = await api.StorageList()
  return {
    storageJson: await Promise.all(repos.map((repo) => textOf(join(directory, repo, 'storage.json')))),
    config: await textOf(join(directory, 'sealer', 'config.toml')),
    index: Object.fromEntries(Object.entries(index).toSorted(([a], [b]) => a.localeCompare(b))),
    paths: await Promise.all(
      Object.keys(index)
        .toSorted()
        .map((id) => api.StorageInfo(id)),
    ),
    sectors: await api.SectorsList(),
    workers: Object.keys(await api.WorkerStats()).toSorted(),
    files: await filesBelow(directory),
  }
}

export const textOf = (file: string) => readFile(file, 'utf8').catch(() => null)

/** Names and lengths; a daemon's own books (its state, its logs) may grow meanwhile. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.map((entry) => join(entry.parentPath, entry.name))
  const kept = files.filter((file) => !/\/logs\/|state\.sqlite|moves\.journal|repo\.lock/.test(file))
  const listed = await Promise.all(
    kept.map(async (file) => {
      const { size } = await stat(file).catch(() => ({ size: -1 }))
      return `${file} ${size}`
    }),
  )
  return listed.toSorted()
}

export function metafile(fields: Record<string, unknown>): string {
  const id = '11111111-2222-4333-8444-555555555555'
  return JSON.stringify({ ID: id, Weight: 10, CanSeal: false, CanStore: true, MaxStorage: 0, ...fields })
}

/** A token with any claims, signed as the sealer signs. */
export async function tokenWith(repo: string, claims: Record<string, unknown>): Promise<string> {
  const { PrivateKey } = JSON.parse(await readFile(join(repo, 'keystore', 'auth-jwt-private'), 'utf8')) as {
    PrivateKey: string
  }
  return new SignJWT({ Allow: ['read', 'write', 'sign', 'admin'], ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(Buffer.from(PrivateKey, 'base64'))
}

export async function place(directory: string, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(directory, name, '..'), { recursive: true })
    await writeFile(join(directory, name), text)
  }
  return directory
}

/** Checks how it ended: its status, one line for people, no stack trace, and no log line beside it. */
export function isRefused(t: ExecutionContext<unknown>, refusal: Refusal, ended: Ended): void {
  const { name, code = 1, line } = refusal
  const shown = `${name}: ${ended.stderr}${ended.stdout}`
  t.is(ended.code, code, shown)
  // Behind a wrong command commander adds what it may have meant, in brackets.
  const lines = words(ended).filter((each) => !each.startsWith('('))
  t.is(lines.length, 1, shown)
  t.regex(lines[0] ?? '', line, shown)
  t.notRegex(ended.stderr, /^\{/m, `${name}: no log line: ${ended.stderr}`)
  t.notRegex(ended.stderr, /^\s+at /m, `${name}: no stack trace`)
}
