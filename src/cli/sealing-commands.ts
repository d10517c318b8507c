import { Command } from 'commander'
import type { SealerApi } from '../protocol/apis.ts'
import { formatDecisions } from './decision-table.ts'
import { sealerClient, workerClient } from './nodes.ts'
import { paintFor } from './paint.ts'
import { terminal } from './program.ts'
import { formatJobs, formatTransfers, formatWorkers } from './sealing-tables.ts'
import { notFound, sectorNumber, usage } from './usage.ts'

type Sealer = () => Promise<SealerApi>

const out = (text: string) => void terminal.stdout.write(text)
const json = (value: unknown) => out(`${JSON.stringify(value, null, 2)}\n`)

/** `sealing …`: the scheduler, seen from outside. */
export function sealingCommands(repo: () => string | undefined): Command {
  const sealer: Sealer = () => sealerClient(repo(), terminal.env)
  const sealing = new Command('sealing').description('what runs where, what waits, and why')
  for (const make of [jobs, workers, schedDiag, decisions, abort]) sealing.addCommand(make(sealer))
  return sealing
}

function jobs(sealer: Sealer): Command {
  return new Command('jobs')
    .description('list running and assigned jobs')
    .option('--show-ret-done', 'also those whose result was taken')
    .option('--json', 'as JSON')
    .action(async (flags: { showRetDone?: true; json?: true }) => {
      const client = await sealer()
      const [found, stats] = await Promise.all([client.WorkerJobs(), client.WorkerStats()])
      if (flags.json) json(found)
      else out(formatJobs(found, stats, Date.now(), flags.showRetDone === true))
    })
}

function workers(sealer: Sealer): Command {
  return new Command('workers')
    .description('list the connected workers and what they use')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const stats = await (await sealer()).WorkerStats()
      if (flags.json) json(stats)
      else out(formatWorkers(stats, paintFor(terminal.stdout)))
    })
}

function schedDiag(sealer: Sealer): Command {
  return new Command('sched-diag')
    .description("dump the scheduler's queue and open windows")
    .option('--force-sched', 'schedule first')
    .action(async (flags: { forceSched?: true }) => {
      json(await (await sealer()).SealingSchedDiag(flags.forceSched === true))
    })
}

function decisions(sealer: Sealer): Command {
  return new Command('decisions')
    .description('show why a worker was chosen: each window, accepted or not, with its reason and its cost')
    .option('--sector <number>', 'only of this sector')
    .option('--json', 'as JSON')
    .action(async (flags: { sector?: string; json?: true }) => {
      const number = flags.sector === undefined ? null : sectorNumber(flags.sector)
      const client = await sealer()
      const all = await client.Decisions()
      const wanted = all.filter((each) => number === null || each.sector.Number === number)
      if (flags.json) json(wanted)
      else if (wanted.length > 0) out(formatDecisions(wanted))
      else out(`${await noDecision(client, number)}\n`)
    })
}

const KEPT_DECISIONS =
  "the sealer keeps the latest ones, and none from before its start; 'sealing sched-diag' shows what waits"

/** @throws what the sealer says of a sector that it does not know */
async function noDecision(client: SealerApi, number: number | null): Promise<string> {
  if (number === null) return `Nothing has been decided yet: ${KEPT_DECISIONS}`
  const { State } = await client.SectorsStatus(number, false)
  return `No decision about sector ${number} (it is in ${State}) is kept: ${KEPT_DECISIONS}`
}

function abort(sealer: Sealer): Command {
  return new Command('abort')
    .description('answer a job with "task aborted", or take a request out of the queue')
    .argument('<id>', 'start of a job ID of "sealing jobs"; with --sched a SchedId of "sealing sched-diag"')
    .option('--sched', 'the id is a SchedId')
    .action(async (id: string, flags: { sched?: true }) => {
      const client = await sealer()
      if (flags.sched === true) await client.SealingRemoveRequest(id)
      else await client.SealingAbort(await jobWith(client, id))
      out(`Aborted ${id}\n`)
    })
}

async function jobWith(client: SealerApi, prefix: string) {
  const all = Object.values(await client.WorkerJobs()).flat()
  const matching = all.filter((job) => job.ID.ID.replaceAll('-', '').startsWith(prefix.replaceAll('-', '')))
  const [job] = matching
  if (job !== undefined && matching.length === 1) return job.ID
  if (matching.length === 0) throw notFound(`no job's ID starts with ${prefix}`)
  throw usage(`${matching.length} jobs' IDs start with ${prefix}; give more of it`)
}

/** `transfers`: moves and fetches of one node, with progress. */
export function transfersCommand(kind: 'sealer' | 'worker', repo: () => string | undefined): Command {
  return new Command('transfers')
    .description('show moves and fetches of this node, running and latest, with progress')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const client =
        kind === 'sealer'
          ? await sealerClient(repo(), terminal.env)
          : await workerClient(repo(), terminal.env)
      const found = await client.Transfers()
      if (flags.json) json(found)
      else out(formatTransfers(found))
    })
}
