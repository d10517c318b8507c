import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseDuration } from '../base/duration.ts'
import { errorCode, SealyardError } from '../base/errors.ts'
import { SETTINGS, writtenDefault } from '../config/settings-table.ts'
import { parseApiInfo, parseMultiaddr } from '../protocol/api-info.ts'
import type { SealerApi, WorkerApi } from '../protocol/apis.ts'
import { ConnectionError } from '../protocol/errors.ts'
import { createClient } from '../protocol/rpc-client.ts'
import { sealerMethods } from '../protocol/sealer-methods.ts'
import { workerMethods } from '../protocol/worker-methods.ts'

export type NodeKind = 'sealer' | 'worker'

/** Where a node's repo is, and who may say where the node listens. */
const NODES = {
  sealer: {
    pathVariable: 'SEALYARD_SEALER_PATH',
    defaultRepo: '.sealyard-sealer',
    infoVariables: ['SEALER_API_INFO', 'MINER_API_INFO'],
  },
  worker: {
    pathVariable: 'SEALYARD_WORKER_PATH',
    defaultRepo: '.sealyard-worker',
    infoVariables: ['WORKER_API_INFO'],
  },
} as const

/** The repo directory: `--repo`, then the environment, then the home directory. */
export function repoOf(kind: NodeKind, flag: string | undefined, env: NodeJS.ProcessEnv): string {
  const chosen = flag ?? env[NODES[kind].pathVariable] ?? join(homedir(), NODES[kind].defaultRepo)
  return resolve(chosen.replace(/^~(?=\/|$)/, homedir()))
}

export interface Endpoint {
  /** `http://127.0.0.1:2345` */
  readonly url: string
  readonly token: string
}

/**
 * Where to reach a node: from SEALER_API_INFO or WORKER_API_INFO unless `--repo` is given, else from its repo's
 * `api` and `token` files.
 * @throws SealyardError NOT_RUNNING when the repo has no `api` file
 */
export async function endpointOf(
  kind: NodeKind,
  flag: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Endpoint> {
  if (flag === undefined) {
    const given = endpointFromEnvironment(kind, env)
    if (given !== null) return given
  }
  const repo = repoOf(kind, flag, env)
  const [api, token] = await Promise.all([readNodeFile(kind, repo, 'api'), readNodeFile(kind, repo, 'token')])
  return { url: parseMultiaddr(api), token }
}

export function endpointFromEnvironment(kind: NodeKind, env: NodeJS.ProcessEnv): Endpoint | null {
  for (const variable of NODES[kind].infoVariables) {
    const value = env[variable]
    if (value !== undefined && value !== '') return parseApiInfo(value, variable)
  }
  return null
}

async function readNodeFile(kind: NodeKind, repo: string, name: string): Promise<string> {
  try {
    return (await readFile(join(repo, name), 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new SealyardError({
      code: 'NOT_RUNNING',
      level: 'permanent',
      message: `no ${kind} runs from ${repo} (it has no '${name}' file); start it with 'sealyard-${kind} run', or name another repo with --repo`,
    })
  }
}

export async function sealerClient(
  flag: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<SealerApi & Endpoint> {
  const endpoint = await endpointOf('sealer', flag, env)
  return Object.assign(orNotRunning('sealer', endpoint, clientOf(sealerMethods, endpoint, env)), endpoint)
}

export async function workerClient(
  flag: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<WorkerApi & Endpoint> {
  const endpoint = await endpointOf('worker', flag, env)
  return Object.assign(orNotRunning('worker', endpoint, clientOf(workerMethods, endpoint, env)), endpoint)
}

/** The same client; a refused connection means that nobody listens there, which is said in plain words. */
function orNotRunning<T extends object>(kind: NodeKind, { url }: Endpoint, client: T): T {
  const calls = Object.entries(client).map(([name, call]) => [
    name,
    (...args: unknown[]) =>
      (call as (...args: unknown[]) => Promise<unknown>)(...args).catch((error: unknown) => {
        throw isRefused(error) ? notRunning(kind, url) : error
      }),
  ])
  return Object.fromEntries(calls) as T
}

function isRefused(error: unknown): boolean {
  return error instanceof ConnectionError && errorCode(error.cause) === 'ECONNREFUSED'
}

function notRunning(kind: NodeKind, url: string): SealyardError {
  const [variable] = NODES[kind].infoVariables
  return new SealyardError({
    code: 'NOT_RUNNING',
    level: 'permanent',
    message: `no ${kind} runs at ${url} (the connection is refused); start it with 'sealyard-${kind} run', or name another with --repo or ${variable}`,
  })
}

/**
 * People wait for what they asked: an unsealing call may take hours, and calls that wait for work have no deadline.
 * The others have that of API.Timeout, so that a port that takes a connection and says nothing is named.
 */
function clientOf<T extends typeof sealerMethods | typeof workerMethods>(
  table: T,
  endpoint: Endpoint,
  env: NodeJS.ProcessEnv,
) {
  const usual = writtenDefault(SETTINGS.API.Timeout, 'sealer') as string
  const timeoutMs = parseDuration(env.SEALYARD_API_TIMEOUT || usual)
  return createClient(table, { url: `${endpoint.url}/rpc/v0`, token: endpoint.token, timeoutMs })
}
