import { Command } from 'commander'
import { formatBytes } from '../base/bytes.ts'
import type { SealerApi, WorkerApi } from '../protocol/apis.ts'
import { fileTypesOf } from '../sectors/file-types.ts'
import { sectorName } from '../sectors/sector-id.ts'
import { terminal } from './program.ts'
import { formatTable } from './table.ts'
import { notFound, usage } from './usage.ts'

type Keeper = Pick<
  SealerApi & WorkerApi,
  'Quarantine' | 'QuarantineRestore' | 'QuarantineRemove' | 'InterruptedMoves' | 'SettleMove'
>

const out = (text: string) => void terminal.stdout.write(text)
const json = (value: unknown) => out(`${JSON.stringify(value, null, 2)}\n`)

/** `storage quarantine|restore|cleanup|moves|settle`: what only an operator may end, the same on both daemons. */
export function upkeepCommands(keeper: () => Promise<Keeper>): Command[] {
  return [quarantine(keeper), restore(keeper), cleanup(keeper), moves(keeper), settle(keeper)]
}

function quarantine(keeper: () => Promise<Keeper>): Command {
  return new Command('quarantine')
    .description(
      'list files that another node had removed from a store path of this one; they are kept there',
    )
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const files = await (await keeper()).Quarantine()
      if (flags.json) json(files)
      else if (files.length === 0) out('Nothing is in quarantine\n')
      else {
        const rows = files.map((file) => [
          sectorName(file.sector),
          fileTypesOf(file.fileType).join(','),
          formatBytes(file.bytes),
          file.since,
          file.pathId,
          file.name,
        ])
        out(formatTable(['Sector', 'Type', 'Size', 'Since', 'Storage', 'Name'], rows))
      }
    })
}

function restore(keeper: () => Promise<Keeper>): Command {
  return new Command('restore')
    .description('put a file in quarantine back to where it was, and declare it')
    .argument('<name>', 'name of "storage quarantine"')
    .action(async (name: string) => {
      out(`restored ${await (await keeper()).QuarantineRestore(name)}\n`)
    })
}

function cleanup(keeper: () => Promise<Keeper>): Command {
  return new Command('cleanup')
    .description('remove files in quarantine for good')
    .argument('[names...]', 'names of "storage quarantine"')
    .option('--all', 'all of them')
    .option('--really-do-it', 'do it')
    .action(async (given: string[], flags: { all?: true; reallyDoIt?: true }) => {
      if (given.length > 0 === (flags.all === true))
        throw usage('give names of "storage quarantine", or --all')
      if (flags.reallyDoIt !== true) {
        throw usage('what is removed from quarantine is gone for good; pass --really-do-it to confirm')
      }
      const client = await keeper()
      const names = flags.all === true ? (await client.Quarantine()).map((file) => file.name) : given
      if (names.length === 0) out('Nothing is in quarantine\n')
      for (const name of names) {
        out(`removed ${name} (${formatBytes(await client.QuarantineRemove(name))})\n`)
      }
    })
}

function moves(keeper: () => Promise<Keeper>): Command {
  return new Command('moves')
    .description('list moves that a stop interrupted and that were not ended yet')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const found = await (await keeper()).InterruptedMoves()
      if (flags.json) json(found)
      else if (found.length === 0) out('No interrupted move is open\n')
      else {
        const rows = found.map((move) => [move.op, move.state, move.from, move.to, move.reason])
        out(formatTable(['Move', 'State', 'From', 'To', 'Reason'], rows))
      }
    })
}

function settle(keeper: () => Promise<Keeper>): Command {
  return new Command('settle')
    .description('forget an uncertain move of "storage moves"; look at both places first, no file is touched')
    .argument('<move>', 'its name, or the start of it')
    .action(async (prefix: string) => {
      const client = await keeper()
      const found = (await client.InterruptedMoves()).filter((move) => move.op.startsWith(prefix))
      const [move] = found
      if (move === undefined) throw notFound(`no interrupted move starts with ${prefix}`)
      if (found.length > 1)
        throw usage(`${found.length} interrupted moves start with ${prefix}; give more of it`)
      await client.SettleMove(move.op)
      out(`settled ${move.op}: ${move.from} and ${move.to} are left as they are\n`)
    })
}
