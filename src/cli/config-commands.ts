import { Command } from 'commander'
import { defaultConfigFile, loadSettings } from '../config/load-settings.ts'
import { type NodeKind, repoOf } from './nodes.ts'
import { terminal } from './program.ts'
import { formatTable } from './table.ts'

/** `config show|default`: read from the repo and the environment, whether the daemon runs or not. */
export function configCommands(kind: NodeKind, repo: () => string | undefined): Command {
  const config = new Command('config').description('settings: what holds, and where it comes from')
  config
    .command('show')
    .description('print each setting, its value and where it came from')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const directory = repoOf(kind, repo(), terminal.env)
      const settings = await loadSettings(kind, { repo: directory, env: terminal.env, flags: {} })
      const rows = settings.explain()
      if (flags.json) terminal.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
      else {
        const table = rows.map(({ key, value, origin, unit, text }) => [key, value, origin, unit, text])
        terminal.stdout.write(formatTable(['Setting', 'Value', 'From', 'Unit', 'What it does'], table))
      }
    })
  config
    .command('default')
    .description('print a config.toml with every setting at its default')
    .action(() => void terminal.stdout.write(defaultConfigFile(kind)))
  return config
}
