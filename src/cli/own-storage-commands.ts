import { resolve } from 'node:path'
import { Command } from 'commander'
import { parseBytes } from '../base/bytes.ts'
import { SealyardError } from '../base/errors.ts'
import type { SealerApi, WorkerApi } from '../protocol/apis.ts'
import { initStoragePath } from '../storage/init-storage-path.ts'
import { fetchLimitsCommand } from './fetch-limits-command.ts'
import { type NodeKind, sealerClient, workerClient } from './nodes.ts'
import { tellNesting, tellOddities } from './path-oddities.ts'
import { collectNames, terminal } from './program.ts'
import { formatTable } from './table.ts'
import { upkeepCommands } from './upkeep-commands.ts'
import { usage } from './usage.ts'

interface AttachFlags {
  init?: true
  json?: true
  weight: string
  seal?: true
  store?: true
  maxStorage?: string
  groups: string[]
  allowTo: string[]
}

type StorageOwner = Pick<
  SealerApi & WorkerApi,
  | 'FetchLimits'
  | 'SetFetchLimits'
  | 'StorageAddLocal'
  | 'StorageDetachLocal'
  | 'StorageLocal'
  | 'StorageRedeclareLocal'
  | 'StorageTiers'
  | 'Quarantine'
  | 'QuarantineRestore'
  | 'QuarantineRemove'
  | 'InterruptedMoves'
  | 'SettleMove'
>

/** `storage attach|detach|redeclare|tiers|limits` and the upkeep, the same on both daemons. */
export function ownStorageCommands(kind: NodeKind, repo: () => string | undefined): Command[] {
  const owner = async (): Promise<StorageOwner> =>
    kind === 'sealer' ? sealerClient(repo(), terminal.env) : workerClient(repo(), terminal.env)
  return [
    attach(owner),
    detach(owner),
    redeclare(owner),
    tiers(owner),
    fetchLimitsCommand(owner),
    ...upkeepCommands(owner),
  ]
}

function attach(owner: () => Promise<StorageOwner>): Command {
  return new Command('attach')
    .description('attach a storage path; its sectorstore.json says how it may be used')
    .argument('<path>', 'directory')
    .option('--init', 'make the path: write its sectorstore.json (needs --seal or --store)')
    .option('--weight <n>', '(--init) preference among paths; higher is preferred', '10')
    .option('--seal', '(--init) use it for scratch files while sealing')
    .option('--store', '(--init) use it for long-term storage')
    .option('--max-storage <size>', '(--init) quota of the directory, such as 1TiB')
    .option('--groups <names>', '(--init) groups this path is in', collectNames, [])
    .option(
      '--allow-to <names>',
      '(--init) groups that files of this path may go to (default: all)',
      collectNames,
      [],
    )
    .option('--json', 'say what was attached as JSON')
    .action(async (path: string, flags: AttachFlags) => {
      const directory = resolve(path)
      const client = await owner()
      const before = await client.StorageLocal().catch(() => ({}))
      if (flags.init === true) {
        const options = initOptions(flags)
        // Asked first: no path is made that a node which is away, or a token that may not, could not attach.
        await client.StorageLocal()
        await initStoragePath(directory, options)
      } else refuseInitFlags(flags)
      await client.StorageAddLocal(directory)
      tell('attached', await pathsOf(client, [directory]), flags.json)
      tellNesting(directory, Object.values(before))
      await tellOddities([directory])
    })
}

function initOptions(flags: AttachFlags) {
  const weight = Number(flags.weight)
  if (!Number.isSafeInteger(weight) || weight < 0) {
    throw usage(`--weight takes a whole number from 0, not '${flags.weight}'`)
  }
  return {
    weight,
    canSeal: flags.seal === true,
    canStore: flags.store === true,
    maxStorageBytes: flags.maxStorage === undefined ? 0 : parseBytes(flags.maxStorage),
    groups: flags.groups,
    allowTo: flags.allowTo,
  }
}

/** Without --init the flags would be ignored; an operator should not believe they took effect. */
function refuseInitFlags(flags: AttachFlags): void {
  const given =
    flags.seal || flags.store || flags.maxStorage !== undefined || flags.groups.length + flags.allowTo.length
  if (given) {
    throw usage(
      '--seal, --store, --max-storage, --groups and --allow-to go with --init; an existing path keeps what its sectorstore.json says',
    )
  }
}

function detach(owner: () => Promise<StorageOwner>): Command {
  return new Command('detach')
    .description('detach a storage path; its files stay where they are')
    .argument('<path>', 'directory')
    .option('--really-do-it', 'do it')
    .option('--json', 'say what was detached as JSON')
    .action(async (path: string, flags: { reallyDoIt?: true; json?: true }) => {
      if (flags.reallyDoIt !== true) {
        throw usage(
          `detaching takes every sector in ${path} out of the index; pass --really-do-it to confirm`,
        )
      }
      const client = await owner()
      const attached = Object.values(await client.StorageLocal())
      const directory = attached.includes(path) ? path : resolve(path)
      const known = await pathsOf(client, [directory])
      await client.StorageDetachLocal(directory)
      tell('detached', known, flags.json)
    })
}

function redeclare(owner: () => Promise<StorageOwner>): Command {
  return new Command('redeclare')
    .description('look at the disk again and tell the index what is there')
    .argument('[path]', 'directory of an attached path')
    .option('--id <id>', 'ID of an attached path')
    .option('--all', 'all attached paths')
    .option('--drop-missing [yes]', 'drop what is no longer on disk', 'true')
    .option('--json', 'say what was redeclared as JSON')
    .action(async (path: string | undefined, flags: RedeclareFlags) => {
      const chosen = [path, flags.id, flags.all].filter((each) => each !== undefined)
      if (chosen.length !== 1) throw usage('name one path, or --id, or --all')
      const client = await owner()
      const id = await chosenId(client, path, flags.id)
      await client.StorageRedeclareLocal(id, String(flags.dropMissing) !== 'false')
      const local = await client.StorageLocal()
      const directories = id === null ? Object.values(local) : [local[id] ?? ''].filter(Boolean)
      tell('redeclared', await pathsOf(client, directories), flags.json)
      await tellOddities(directories)
    })
}

interface RedeclareFlags {
  id?: string
  all?: true
  dropMissing: string | boolean
  json?: true
}

interface OwnPath {
  readonly id: string
  readonly path: string
}

/** The attached ones of these directories, with their IDs. */
async function pathsOf(client: StorageOwner, directories: readonly string[]): Promise<OwnPath[]> {
  const local = Object.entries(await client.StorageLocal())
  return local.filter(([, path]) => directories.includes(path)).map(([id, path]) => ({ id, path }))
}

function tell(what: string, paths: readonly OwnPath[], asJson: true | undefined): void {
  if (asJson) terminal.stdout.write(`${JSON.stringify(paths, null, 2)}\n`)
  else for (const { id, path } of paths) terminal.stdout.write(`${what} ${path} (${id})\n`)
}

async function chosenId(client: StorageOwner, path?: string, id?: string): Promise<string | null> {
  if (path === undefined) return id ?? null
  const local = await client.StorageLocal()
  const wanted = resolve(path)
  const found = Object.entries(local).find(
    ([, directory]) => directory === path || resolve(directory) === wanted,
  )
  if (found !== undefined) return found[0]
  throw new SealyardError({
    code: 'UNKNOWN_PATH',
    level: 'permanent',
    message: `${path} is not attached here; attached are: ${Object.values(local).join(', ') || 'none'}`,
  })
}

function tiers(owner: () => Promise<StorageOwner>): Command {
  return new Command('tiers')
    .description('what a move between each two storage paths of this node costs, as tried')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const rows = await (await owner()).StorageTiers()
      if (flags.json) terminal.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
      else
        terminal.stdout.write(
          formatTable(
            ['From', 'To', 'Tier'],
            rows.map((row) => [row.from, row.to, row.tier]),
          ),
        )
    })
}
