import { Command } from 'commander'
import { SealyardError } from '../base/errors.ts'
import { loadSettings } from '../config/load-settings.ts'
import { runDaemon, startDaemon } from './daemon.ts'
import { endpointFromEnvironment, repoOf } from './nodes.ts'
import { terminal } from './program.ts'
import { addSettingFlags, settingFlags } from './run-flags.ts'
import { startWorker } from './run-worker.ts'

/** `run`: the agent, in the foreground until it is stopped; makes its repo at the first start. */
export function runWorkerCommand(repo: () => string | undefined): Command {
  const run = addSettingFlags(new Command('run').description('run the worker, in the foreground'), 'worker')
  return run.action(async () => {
    const directory = repoOf('worker', repo(), terminal.env)
    const flags = settingFlags(run, 'worker')
    const settings = await loadSettings('worker', { repo: directory, env: terminal.env, flags })
    const sealer = endpointFromEnvironment('sealer', terminal.env)
    if (sealer === null) throw noSealer()
    const daemon = await startDaemon(directory, settings.value)
    process.exit(await runDaemon(daemon, (each) => startWorker(each, settings, sealer, terminal.env)))
  })
}

function noSealer(): SealyardError {
  return new SealyardError({
    code: 'NO_SEALER',
    level: 'permanent',
    message:
      "SEALER_API_INFO is not set, so there is no sealer to work for; 'sealyard-sealer auth api-info --perm admin' prints it (MINER_API_INFO is read too)",
  })
}
