import { Command } from 'commander'
import type { SealerApi } from '../protocol/apis.ts'
import { fileTypesOf } from '../sectors/file-types.ts'
import { terminal } from './program.ts'
import { formatTable } from './table.ts'
import { notFound, usage } from './usage.ts'

type Account = Pick<SealerApi, 'SpaceReservations' | 'ReservationRelease'>

/** `storage reservations|release`: the account of space. */
export function reservationCommands(sealer: () => Promise<Account>): Command[] {
  return [reservations(sealer), release(sealer)]
}

function reservations(sealer: () => Promise<Account>): Command {
  return new Command('reservations')
    .description('show the space that running work was promised')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const held = await (await sealer()).SpaceReservations()
      if (flags.json) terminal.stdout.write(`${JSON.stringify(held, null, 2)}\n`)
      else
        terminal.stdout.write(
          formatTable(
            ['Sector', 'Type', 'Task', 'Path', 'Needed', 'Reported', 'On disk', 'Reservation'],
            held.map((each) => [
              String(each.sector.Number),
              fileTypesOf(each.fileType).join(','),
              each.task,
              each.pathId,
              String(each.neededBytes),
              String(each.reportedBytes),
              String(each.onDiskBytes),
              each.id,
            ]),
          ),
        )
    })
}

function release(sealer: () => Promise<Account>): Command {
  return new Command('release')
    .description(
      'give back space that a worker was promised which never comes back; refused while its call runs',
    )
    .argument('<id>', 'start of a reservation of "storage reservations"')
    .action(async (prefix: string) => {
      const client = await sealer()
      const held = (await client.SpaceReservations()).filter((each) => each.id.startsWith(prefix))
      const chosen = held.find((each) => each.id === prefix) ?? held[0]
      if (chosen === undefined) throw notFound(`no reservation starts with ${prefix}`)
      if (held.length > 1 && chosen.id !== prefix) {
        throw usage(`${held.length} reservations start with ${prefix}; give more of it`)
      }
      const { id, neededBytes } = await client.ReservationRelease(chosen.id)
      terminal.stdout.write(`released ${id}: ${neededBytes} bytes\n`)
    })
}
