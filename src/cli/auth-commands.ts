import { Command } from 'commander'
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

async function newToken(client: SealerApi, permission: string): Promise<string> {
  return Buffer.from(await client.AuthNew(permissionsUpTo(permission)), 'base64').toString()
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
    .requiredOption('--perm <permission>', `one of ${PERMISSIONS.join(', ')}; each includes those before it`)
    .action(async (flags: { perm: string }) => {
      permissionsUpTo(flags.perm)
      const client = await sealerClient(repo(), terminal.env)
      terminal.stdout.write(`${await newToken(client, flags.perm)}\n`)
    })
}

function sealerApiInfo(repo: () => string | undefined): Command {
  return new Command('api-info')
    .description('print what another node or a CLI elsewhere needs to connect')
    .requiredOption('--perm <permission>', `one of ${PERMISSIONS.join(', ')}`)
    .action(async (flags: { perm: string }) => {
      permissionsUpTo(flags.perm)
      const client = await sealerClient(repo(), terminal.env)
      print('SEALER_API_INFO', { url: client.url, token: await newToken(client, flags.perm) })
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
