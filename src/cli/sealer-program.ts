import type { Command } from 'commander'
import { authCommands } from './auth-commands.ts'
import { configCommands } from './config-commands.ts'
import { indexCommands } from './index-commands.ts'
import { initCommand } from './init-sealer.ts'
import { logCommands } from './log-commands.ts'
import { sealerClient } from './nodes.ts'
import { ownStorageCommands } from './own-storage-commands.ts'
import { parametersCommands } from './parameters-commands.ts'
import { program, terminal } from './program.ts'
import { provingCommands } from './proving-commands.ts'
import { runSealerCommand } from './run-sealer-command.ts'
import { formatSealerInfo } from './sealer-info.ts'
import { sealingCommands, transfersCommand } from './sealing-commands.ts'
import { sectorsCommands } from './sectors-commands.ts'
import { VERSION } from './version.ts'

/** The whole command line of `sealyard-sealer`, to be run or to be read. */
export function sealerProgram(): Command {
  const sealer = program('sealyard-sealer', 'Sector index, scheduler and pipeline of one storage provider')
    .version(VERSION)
    .option('--repo <dir>', 'repo directory (SEALYARD_SEALER_PATH; ~/.sealyard-sealer)')

  const repo = () => sealer.opts<{ repo?: string }>().repo

  sealer.addCommand(initCommand(repo))
  sealer.addCommand(runSealerCommand(repo))
  sealer
    .command('stop')
    .description('stop the running sealer')
    .action(async () => (await sealerClient(repo(), terminal.env)).Shutdown())
  sealer
    .command('info')
    .description('show the miner, its sectors by state and its workers')
    .action(async () => {
      terminal.stdout.write(await formatSealerInfo(await sealerClient(repo(), terminal.env)))
    })

  const storage = sealer.command('storage').description('storage paths: what they are, what they hold')
  for (const command of [...ownStorageCommands('sealer', repo), ...indexCommands(repo)])
    storage.addCommand(command)

  for (const command of [
    sealingCommands(repo),
    sectorsCommands(repo),
    provingCommands(repo),
    parametersCommands(),
    transfersCommand('sealer', repo),
    authCommands('sealer', repo),
    configCommands('sealer', repo),
    logCommands('sealer', repo),
  ]) {
    sealer.addCommand(command)
  }
  return sealer
}
