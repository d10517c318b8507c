import { Command } from 'commander'
import type { SealerApi } from '../protocol/apis.ts'
import {
  ALL_FILE_TYPES,
  FILE_TYPE_BIT,
  FILE_TYPE_WORD,
  fileTypesOf,
  type SectorFileType,
} from '../sectors/file-types.ts'
import { minerAddress, type SectorId, sectorName } from '../sectors/sector-id.ts'
import { sealerClient } from './nodes.ts'
import { paintFor } from './paint.ts'
import { terminal } from './program.ts'
import { reservationCommands } from './reservation-commands.ts'
import { formatStorageList, type ListedPath } from './storage-list.ts'
import { formatTable } from './table.ts'
import { notFound, sectorNumber } from './usage.ts'

/** `storage list|list sectors|find|locks|reservations|release`: the index and the account of space. */
export function indexCommands(repo: () => string | undefined): Command[] {
  const sealer = () => sealerClient(repo(), terminal.env)
  return [list(sealer), find(sealer), locks(sealer), ...reservationCommands(sealer)]
}

type Sealer = () => Promise<SealerApi>

function list(sealer: Sealer): Command {
  const command = new Command('list')
    .description('list the storage paths of the cluster')
    .option('--json', 'as JSON')
    .option('--color [yes]', 'colour the output')
    .action(async (flags: { json?: true; color?: string | true }) => {
      const paths = await listedPaths(await sealer())
      if (flags.json) {
        terminal.stdout.write(`${JSON.stringify(paths, null, 2)}\n`)
        return
      }
      const colour = flags.color === undefined ? undefined : flags.color !== 'false'
      terminal.stdout.write(formatStorageList(paths, paintFor(terminal.stdout, colour)))
    })
  command.addCommand(listSectors(sealer))
  return command
}

async function listedPaths(client: SealerApi): Promise<ListedPath[]> {
  const [declared, local] = await Promise.all([client.StorageList(), client.StorageLocal()])
  // Side by side: one node that does not answer must not delay the rows of the others.
  return Promise.all(
    Object.entries(declared).map(async ([id, declarations]) => {
      const info = await client.StorageInfo(id)
      const started = performance.now()
      const stat = await client.StorageStat(id).catch((error: Error) => ({ error: error.message }))
      return { info, declarations, stat, latencyMs: performance.now() - started, local: local[id] ?? null }
    }),
  )
}

function listSectors(sealer: Sealer): Command {
  return new Command('sectors')
    .description('list every sector file the index knows')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const client = await sealer()
      const rows = await sectorRows(client)
      if (flags.json) terminal.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
      else terminal.stdout.write(formatSectorRows(rows))
    })
}

/** By number as lotus does; where sectors of several miners lie, a number says too little. */
export function formatSectorRows(rows: Awaited<ReturnType<typeof sectorRows>>): string {
  const isOneMiner = new Set(rows.map((row) => row.miner)).size <= 1
  return formatTable(
    ['Storage', 'Sector', 'Type', 'State', 'Primary', 'Path use', 'URLs'],
    rows.map((row) => [
      row.storage,
      isOneMiner ? String(row.sector) : sectorName({ Miner: row.miner, Number: row.sector }),
      row.type,
      row.state,
      row.primary,
      row.use,
      row.urls.join(';'),
    ]),
  )
}

type IndexReader = Pick<
  SealerApi,
  'StorageList' | 'StorageInfo' | 'StorageFindSector' | 'SectorsStatus' | 'ActorAddress'
>

/** A row for each file; the same sector on several paths is looked up once. */
export async function sectorRows(client: IndexReader) {
  const [declared, own] = await Promise.all([client.StorageList(), client.ActorAddress()])
  const states = new Map<number, string>()
  const holdersOf = holderLookup(client)
  const rows = []
  for (const [id, declarations] of Object.entries(declared)) {
    const info = await client.StorageInfo(id)
    for (const held of declarations) {
      for (const type of fileTypesOf(held.SectorFileType)) {
        const sector = { Miner: held.Miner, Number: held.Number }
        const holders = await holdersOf(sector, type)
        rows.push({
          storage: id,
          miner: held.Miner,
          sector: held.Number,
          type,
          // The sealer knows its own miner's only, by number.
          state: minerAddress(held.Miner) === own ? await stateOf(client, held.Number, states) : '',
          primary: primaryWord(holders, id),
          use: [info.CanSeal ? 'seal' : '', info.CanStore ? 'store' : '']
            .filter((use) => use !== '')
            .join(' '),
          urls: info.URLs,
          store: info.CanStore,
        })
      }
    }
  }
  return rows.sort(
    (a, b) =>
      Number(b.store) - Number(a.store) ||
      a.storage.localeCompare(b.storage) ||
      a.miner - b.miner ||
      a.sector - b.sector ||
      a.type.localeCompare(b.type),
  )
}

/** Of one type at a time: asked for several, a path that is primary for any of them is named primary. */
function holderLookup(client: Pick<SealerApi, 'StorageFindSector'>) {
  const known = new Map<string, ReturnType<SealerApi['StorageFindSector']>>()
  return (sector: SectorId, type: SectorFileType) => {
    const key = `${sectorName(sector)} ${type}`
    const holders = known.get(key) ?? client.StorageFindSector(sector, FILE_TYPE_BIT[type], 0, false)
    known.set(key, holders)
    return holders
  }
}

async function stateOf(
  client: Pick<SealerApi, 'SectorsStatus'>,
  number: number,
  known: Map<number, string>,
): Promise<string> {
  const seen = known.get(number)
  if (seen !== undefined) return seen
  const state = await client.SectorsStatus(number, false).then(
    (status) => status.State,
    () => '',
  )
  known.set(number, state)
  return state
}

/** lotus' words: the copy of record, one more copy, or the only copy though not of record. */
function primaryWord(holders: readonly { ID: string; Primary: boolean }[], id: string): string {
  if (holders.find((holder) => holder.ID === id)?.Primary === true) return 'primary'
  return holders.length > 1 ? 'copy' : 'main'
}

function find(sealer: Sealer): Command {
  return new Command('find')
    .description('show which paths hold a sector')
    .argument('<sector>', 'sector number')
    .option('--json', 'as JSON')
    .action(async (text: string, flags: { json?: true }) => {
      const number = sectorNumber(text)
      const client = await sealer()
      const found = await findRows(client, number)
      if (flags.json) terminal.stdout.write(`${JSON.stringify(found, null, 2)}\n`)
      else terminal.stdout.write(formatFound(found))
      if (found.length === 0) throw notFound(`no storage path holds sector ${number}`)
    })
}

async function findRows(client: SealerApi, number: number) {
  const [declared, local] = await Promise.all([client.StorageList(), client.StorageLocal()])
  const rows = []
  for (const [id, declarations] of Object.entries(declared)) {
    const held = declarations.find((each) => each.Number === number)
    if (held === undefined) continue
    const info = await client.StorageInfo(id)
    const types = fileTypesOf(held.SectorFileType)
    const name = sectorName(held)
    rows.push({
      id,
      types,
      sealing: info.CanSeal,
      storage: info.CanStore,
      local: local[id] ?? null,
      urls: info.URLs.map((url) => `${url}/${types[0]}/${name}`),
    })
  }
  return rows
}

function formatFound(rows: Awaited<ReturnType<typeof findRows>>): string {
  return rows
    .map((row) =>
      [
        `In ${row.id} (${row.types.map((type) => FILE_TYPE_WORD[type]).join(', ')})`,
        `\tSealing: ${row.sealing}; Storage: ${row.storage}`,
        row.local === null ? '\tRemote' : `\tLocal (${row.local})`,
        ...row.urls.map((url) => `\tURL: ${url}`),
        '',
      ].join('\n'),
    )
    .join('')
}

function locks(sealer: Sealer): Command {
  return new Command('locks')
    .description('show which sector files are locked')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: true }) => {
      const client = await sealer()
      const held = await client.StorageGetLocks()
      if (flags.json) terminal.stdout.write(`${JSON.stringify(held, null, 2)}\n`)
      for (const lock of flags.json ? [] : held.Locks) {
        const state = await stateOf(client, lock.Sector.Number, new Map())
        terminal.stdout.write(`${lock.Sector.Number}\t${state}\t${lockWords(lock.Read, lock.Write)}\n`)
      }
    })
}

function lockWords(read: readonly number[], write: readonly number[]): string {
  return fileTypesOf(ALL_FILE_TYPES)
    .map((type, bit) => {
      if ((write[bit] ?? 0) > 0) return `${type}(W) `
      return (read[bit] ?? 0) > 0 ? `${type}(R:${read[bit]}) ` : ''
    })
    .join('')
}
