import { Command } from 'commander'
import { parseDuration } from '../base/duration.ts'
import { isSealyardError } from '../base/errors.ts'
import { formatApiInfo } from '../protocol/api-info.ts'
import type { SealerApi } from '../protocol/apis.ts'
import { PERMISSIONS } from '../protocol/method.ts'
import { type Endpoint, endpointOf, type NodeKind, sealerClient } from './nodes.ts'
import { terminal } from './program.ts'
import { usage } from './usage.ts'

/** lotus: a permission includes the ones below it. */
function permissionsUpTo(word: string): string[] {
  const index = (PERMISSIONS as readonly string[]).indexOf(word)
  if (index < 0) throw usage(`--perm takes one of ${PERMISSIONS.join(', ')}, not '${word}'`)
  return PERMISSIONS.slice(0, index + 1)
}

async function newToken(
  client: SealerApi,
  allowed: string[],
  lifetimeSeconds: number | null = null,
): Promise<string> {
  return Buffer.from(await client.AuthNew(allowed, lifetimeSeconds), 'base64').toString()
}

/** @throws SealyardError USAGE */
function lifetimeOf(text: string | undefined): number | null {
  if (text === undefined) return null
  try {
    const seconds = Math.floor(parseDuration(text) / 1000)
    if (seconds > 0) return seconds
  } catch (error) {
    if (!isSealyardError(error)) throw error
  }
  throw usage(`--expires takes a time such as 90m or 24h, one second at least, not '${text}'`)
}

/** `auth create-token|api-info`; only the sealer can make tokens, a worker shows its own. */
export function authCommands(kind: NodeKind, repo: () => string | undefined): Command {
  const auth = new Command('auth').description('tokens and how to connect')
  if (kind === 'sealer') auth.addCommand(createToken(repo))
  auth.addCommand(kind === 'sealer' ? sealerApiInfo(repo) : workerApiInfo(repo))
  return auth
}

function createToken(repo: () => string | undefined): Command {
  return new Command('create-token')
    .description('make a token')
    .option('--perm <permission>', `one of ${PERMISSIONS.join(', ')}; each includes those before it`)
    .option(
      '--scope <scope...>',
      'instead: read-storage, write-storage or delete-storage; reading and deleting may be of one type or sector file, read-storage:sealed/s-t01000-7',
    )
    .option('--expires <time>', 'how long it is good for, such as 24h; else for ever')
    .action(async (flags: { perm?: string; scope?: string[]; expires?: string }) => {
      const { perm, scope = [] } = flags
      if ((perm === undefined) === (scope.length === 0)) throw usage('give one of --perm and --scope')
      const allowed = perm === undefined ? scope : permissionsUpTo(perm)
      const lifetime = lifetimeOf(flags.expires)
      const client = await sealerClient(repo(), terminal.env)
      terminal.stdout.write(`${await newToken(client, allowed, lifetime)}\n`)
    })
}

function sealerApiInfo(repo: () => string | undefined): Command {
  return new Command('api-info')
    .description('print what another node or a CLI elsewhere needs to connect')
    .requiredOption('--perm <permission>', `one of ${PERMISSIONS.join(', ')}`)
    .action(async (flags: { perm: string }) => {
      const permissions = permissionsUpTo(flags.perm)
      const client = await sealerClient(repo(), terminal.env)
      print('SEALER_API_INFO', { url: client.url, token: await newToken(client, permissions) })
    })
}

function workerApiInfo(repo: () => string | undefined): Command {
  return new Command('api-info')
    .description('print what a CLI elsewhere needs to connect')
    .action(async () => print('WORKER_API_INFO', await endpointOf('worker', repo(), terminal.env)))
}

function print(variable: string, endpoint: Endpoint): void {
  terminal.stdout.write(`${variable}=${formatApiInfo(endpoint)}\n`)
}
