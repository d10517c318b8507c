import { Command } from 'commander'
import { type NodeKind, sealerClient, workerClient } from './nodes.ts'
import { terminal } from './program.ts'

/** `log list|set-level`, on a running node. */
export function logCommands(kind: NodeKind, repo: () => string | undefined): Command {
  const client = async () =>
    kind === 'sealer' ? sealerClient(repo(), terminal.env) : workerClient(repo(), terminal.env)
  const log = new Command('log').description('log levels by subsystem')
  log
    .command('list')
    .description('list the subsystems')
    .action(async () => {
      for (const name of await (await client()).LogList()) terminal.stdout.write(`${name}\n`)
    })
  log
    .command('set-level')
    .description('set the level while the node runs')
    .option('--system <name>', 'one subsystem; all without it', '*')
    .argument('<level>', 'debug, info, warn or error')
    .action(async (level: string, flags: { system: string }) => {
      await (await client()).LogSetLevel(flags.system, level)
    })
  return log
}
