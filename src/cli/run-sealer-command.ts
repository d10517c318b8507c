import { Command } from 'commander'
import { loadSettings } from '../config/load-settings.ts'
import { runDaemon, startDaemon } from './daemon.ts'
import { repoOf } from './nodes.ts'
import { terminal } from './program.ts'
import { addSettingFlags, settingFlags } from './run-flags.ts'
import { minerOf, startSealer } from './run-sealer.ts'

/** `run`: the daemon, in the foreground until it is stopped. */
export function runSealerCommand(repo: () => string | undefined): Command {
  const run = addSettingFlags(new Command('run').description('run the sealer, in the foreground'), 'sealer')
  return run.action(async () => {
    const directory = repoOf('sealer', repo(), terminal.env)
    const flags = settingFlags(run, 'sealer')
    const settings = await loadSettings('sealer', { repo: directory, env: terminal.env, flags })
    // Before anything is made: a mistyped --repo leaves no directory behind.
    await minerOf(directory)
    const daemon = await startDaemon(directory, settings.value)
    process.exit(await runDaemon(daemon, (each) => startSealer(each, terminal.env)))
  })
}
