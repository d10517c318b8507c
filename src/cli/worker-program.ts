import type { Command } from 'commander'
import { authCommands } from './auth-commands.ts'
import { configCommands } from './config-commands.ts'
import { logCommands } from './log-commands.ts'
import { workerClient } from './nodes.ts'
import { ownStorageCommands } from './own-storage-commands.ts'
import { program, terminal } from './program.ts'
import { runWorkerCommand } from './run-worker-command.ts'
import { transfersCommand } from './sealing-commands.ts'
import { resourcesCommand, setCommand, tasksCommands } from './tasks-commands.ts'
import { VERSION } from './version.ts'
import { formatWorkerInfo } from './worker-info.ts'

/** The whole command line of `sealyard-worker`, to be run or to be read. */
export function workerProgram(): Command {
  const worker = program('sealyard-worker', 'Storage paths and sealing tasks of one host')
    .version(VERSION)
    .option('--repo <dir>', 'repo directory (SEALYARD_WORKER_PATH; ~/.sealyard-worker)')

  const repo = () => worker.opts<{ repo?: string }>().repo

  worker.addCommand(runWorkerCommand(repo))
  worker
    .command('stop')
    .description('stop the running worker')
    .action(async () => (await workerClient(repo(), terminal.env)).Shutdown())
  worker
    .command('info')
    .description('show the worker, its task types and its storage paths')
    .action(async () => {
      terminal.stdout.write(await formatWorkerInfo(await workerClient(repo(), terminal.env), VERSION))
    })

  const storage = worker.command('storage').description('storage paths of this worker')
  for (const command of ownStorageCommands('worker', repo)) storage.addCommand(command)

  for (const command of [
    tasksCommands(repo),
    resourcesCommand(repo),
    setCommand(() => workerClient(repo(), terminal.env)),
    transfersCommand('worker', repo),
    authCommands('worker', repo),
    configCommands('worker', repo),
    logCommands('worker', repo),
  ]) {
    worker.addCommand(command)
  }
  return worker
}
