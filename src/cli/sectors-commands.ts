import { randomUUID } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import type { SealerApi } from '../protocol/apis.ts'
import { pushFile } from '../protocol/reader-streams.ts'
import { type Endpoint, sealerClient } from './nodes.ts'
import { terminal } from './program.ts'
import { sectorLines } from './sector-lines.ts'
import { formatSectorStatus, formatSectors } from './sector-tables.ts'
import { sectorNumber, usage } from './usage.ts'

type Sealer = () => Promise<SealerApi & Endpoint>

const out = (text: string) => void terminal.stdout.write(text)
const json = (value: unknown) => out(`${JSON.stringify(value, null, 2)}\n`)

/** `sectors …`: what an operator does with one sector. */
export function sectorsCommands(repo: () => string | undefined): Command {
  const sealer: Sealer = () => sealerClient(repo(), terminal.env)
  const sectors = new Command('sectors').description('make, watch and use sectors')
  for (const make of [
    pledge,
    add,
    list,
    status,
    unseal,
    extractPiece,
    remove,
    retry,
    pause,
    resume,
    commit2,
    commit2Input,
    importProof,
  ]) {
    sectors.addCommand(make(sealer))
  }
  return sectors
}

function pledge(sealer: Sealer): Command {
  return new Command('pledge')
    .description('start a sector filled with zeroes')
    .option('--count <n>', 'that many', '1')
    .action(async (flags: { count: string }) => {
      const count = Number(flags.count)
      if (!/^\d+$/.test(flags.count) || count < 1 || count > MOST_PLEDGED) {
        throw usage(`--count takes a whole number from 1 to ${MOST_PLEDGED}, not '${flags.count}'`)
      }
      const client = await sealer()
      // One after the other: what was created is said, also when a later one is refused.
      for (let made = 0; made < count; made++) {
        const sector = await client.PledgeSector()
        out(`Created CC sector: ${sector.Number}\n`)
      }
    })
}

/** A slip of the finger does not fill a cluster's queue for years. */
const MOST_PLEDGED = 10_000

function add(sealer: Sealer): Command {
  return new Command('add')
    .description('start a sector with real data')
    .requiredOption('--piece <files...>', 'files to put in, in order; each is padded to a piece and checked')
    .option('--json', 'as JSON')
    .action(async (flags: { piece: string[]; json?: true }) => {
      const client = await sealer()
      const added = await addPieces(
        client,
        flags.piece.map((file) => resolve(file)),
      )
      if (flags.json) {
        json(added)
        return
      }
      out(`Created sector: ${added.sector.Number}\n`)
      added.pieces.forEach((piece, index) => {
        out(`Piece ${index}: ${piece.commitment} (${piece.size} bytes padded, ${piece.dataBytes} of data)\n`)
      })
    })
}

/** The call and the streams it names run side by side: the node reads a stream while it works on the call. */
async function addPieces(client: SealerApi & Endpoint, files: readonly string[]) {
  const readers = await Promise.all(
    files.map(async (file) => ({ file, uuid: randomUUID(), bytes: await pieceBytes(file) })),
  )
  const call = client.SectorAdd({
    pieces: readers.map(({ uuid, bytes }) => ({ dataBytes: bytes, reader: { Type: 'push', Info: uuid } })),
  })
  const pushes = readers.map(({ uuid, file, bytes }) => pushFile({ ...client, uuid, file, bytes }))
  // The call's own refusal says why; a push that broke because of it says less.
  const [answer] = await Promise.all([
    call,
    ...pushes.map((push) => push.catch((error) => rethrowAfter(call, error))),
  ])
  return answer
}

async function rethrowAfter(call: Promise<unknown>, error: unknown): Promise<never> {
  await call
  throw error
}

async function pieceBytes(file: string): Promise<number> {
  const stats = await stat(file).catch(() => null)
  if (stats === null) throw usage(`there is no file ${file}`)
  if (!stats.isFile()) throw usage(`${file} is not a plain file`)
  if (stats.size === 0) throw usage(`${file} is empty: a piece needs at least one byte`)
  return stats.size
}

function list(sealer: Sealer): Command {
  return new Command('list')
    .description('list the sectors')
    .option('--show-removed', 'also those that were removed')
    .option('--seal-time', 'how long each took from its first event until it was proving')
    .option('--events', 'how many events each has seen')
    .option('--json', "as JSON, without logs and proofs: 'sectors status' has those")
    .action(async (flags: { showRemoved?: true; sealTime?: true; events?: true; json?: true }) => {
      const all = await sectorLines(await sealer())
      // As lotus does: the API knows them for ever, an operator is done with them.
      const sectors = all.filter((sector) => flags.showRemoved === true || sector.State !== 'Removed')
      if (flags.json) json(sectors)
      else out(formatSectors(sectors, flags))
    })
}

function status(sealer: Sealer): Command {
  return new Command('status')
    .description('show one sector')
    .argument('<sector>', 'sector number')
    .option('--log', 'with its event log')
    .option('--proof', 'with its proof')
    .option('--json', 'as JSON')
    .action(async (text: string, flags: { log?: true; proof?: true; json?: true }) => {
      const sector = await (await sealer()).SectorsStatus(sectorNumber(text), false)
      if (flags.json) json(sector)
      else out(formatSectorStatus(sector, flags.log === true, flags.proof === true))
    })
}

function unseal(sealer: Sealer): Command {
  return new Command('unseal')
    .description('unseal a whole sector into a store path; ends when it is there')
    .argument('<sector>', 'sector number')
    .action(async (text: string) => {
      await (await sealer()).SectorUnseal(sectorNumber(text))
      out(`Sector ${text} is unsealed\n`)
    })
}

function extractPiece(sealer: Sealer): Command {
  return new Command('extract-piece')
    .description("write a piece's data to a file on the sealer's machine, from an unsealed copy")
    .argument('<sector>', 'sector number')
    .argument('<output>', 'file to write')
    .option('--piece <index>', 'which piece, from 0', '0')
    .action(async (text: string, output: string, flags: { piece: string }) => {
      const read = await (await sealer()).ReadPiece(
        sectorNumber(text),
        sectorNumber(flags.piece),
        resolve(output),
      )
      out(`Wrote ${read.bytes} bytes to ${resolve(output)} from ${read.from}\n`)
    })
}

function remove(sealer: Sealer): Command {
  return new Command('remove')
    .description('remove a sector and all its files')
    .argument('<sector>', 'sector number')
    .option('--really-do-it', 'do it')
    .action(async (text: string, flags: { reallyDoIt?: true }) => {
      const number = sectorNumber(text)
      if (flags.reallyDoIt !== true) {
        throw usage(`this removes every file of sector ${number} everywhere; pass --really-do-it to confirm`)
      }
      const client = await sealer()
      const { State } = await client.SectorsStatus(number, false)
      await client.SectorRemove(number)
      out(
        `Sector ${number} ${State === 'Removed' ? 'was removed before: there is nothing to do' : 'is removed'}\n`,
      )
    })
}

/** A command that asks one thing of one sector. */
function sectorCommand(name: string, description: string) {
  return new Command(name).description(description).argument('<sector>', 'sector number')
}

function retry(sealer: Sealer): Command {
  const words = 'try a failed sector again at once, also one that had failed too often'
  return sectorCommand('retry', words).action(async (text: string) => {
    await (await sealer()).SectorRetry(sectorNumber(text))
    out(`Sector ${text} is tried again; watch it with 'sectors status ${text} --log'\n`)
  })
}

function pause(sealer: Sealer): Command {
  const words = 'stop a sector where it is; what a worker has begun for it goes on, and its result is kept'
  return sectorCommand('pause', words).action(async (text: string) => {
    await (await sealer()).SectorPause(sectorNumber(text))
    out(`Sector ${text} is paused; 'sectors resume ${text}' lets it go on\n`)
  })
}

function resume(sealer: Sealer): Command {
  return sectorCommand('resume', 'let a paused sector go on').action(async (text: string) => {
    await (await sealer()).SectorResume(sectorNumber(text))
    out(`Sector ${text} goes on\n`)
  })
}

function commit2(sealer: Sealer): Command {
  return new Command('commit2')
    .description('take up a deferred C2 from the kept output of C1')
    .argument('<sector>', 'sector number')
    .action(async (text: string) => {
      await (await sealer()).Commit2(sectorNumber(text))
      out(`C2 of sector ${text} is taken up; watch it with 'sectors status ${text}'\n`)
    })
}

function commit2Input(sealer: Sealer): Command {
  return new Command('commit2-input')
    .description("write C1's output to a file, for proving C2 elsewhere")
    .argument('<sector>', 'sector number')
    .requiredOption('--output <file>', 'file to write')
    .action(async (text: string, flags: { output: string }) => {
      const input = Buffer.from(await (await sealer()).Commit2Input(sectorNumber(text)), 'base64')
      await writeFile(flags.output, input, { flag: 'wx' })
      out(`Wrote ${input.length} bytes to ${flags.output}\n`)
    })
}

function importProof(sealer: Sealer): Command {
  return new Command('import-proof')
    .description('take a proof that was made elsewhere')
    .argument('<sector>', 'sector number')
    .argument('<file>', 'the proof, raw bytes (192 a partition)')
    .action(async (text: string, file: string) => {
      const proof = await readFile(file)
      const { verified } = await (await sealer()).ImportProof(sectorNumber(text), proof.toString('base64'))
      out(verified ? `Sector ${text} has its proof; it was verified\n` : unverifiedWords(text))
    })
}

function unverifiedWords(sector: string): string {
  return (
    `Sector ${sector} has its proof; it was NOT verified, for no verifying key of its size lies on the sealer's machine ` +
    "('parameters list' shows those there are). A wrong proof is noticed when the commit is submitted\n"
  )
}
