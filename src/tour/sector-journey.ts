import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../base/bytes.ts'
import { SealyardError } from '../base/errors.ts'
import { checkExtracted, checkRanges, checkScratchIsEmpty, checkStored } from './checks.ts'
import { type Cluster, sealerOf, writeClusterFile } from './cluster.ts'
import { command, spell } from './daemons.ts'
import type { PostParameters } from './post-parameters.ts'
import { heading, say, show } from './say.ts'
import { SectorWatch } from './sector-watch.ts'

/** Bytes of real data: less than the 2,032 that a 2 KiB sector takes, so that padding shows. */
const PIECE_BYTES = 1500

/** One sector from a file to a proven, served, unsealed sector. */
export async function sealOneSector(cluster: Cluster, parameters: PostParameters): Promise<void> {
  const started = performance.now()
  const pieceFile = join(cluster.directory, 'piece.bin')
  await writeFile(pieceFile, randomBytes(PIECE_BYTES))
  heading('one sector of real data')
  const number = await addPiece(cluster, pieceFile)
  const watch = await SectorWatch.begin(cluster, number)
  await watch.until('Proving')
  const sealedSeconds = (performance.now() - started) / 1000
  await writeClusterFile(cluster, number, pieceFile)

  heading('what an operator sees')
  await showListings(cluster, number)

  heading('served, proven, unsealed')
  const stored = await checkStored(cluster, number)
  await checkRanges(cluster, stored)
  await proveStored(cluster, number, parameters)
  await unseal(cluster, number, pieceFile, watch)
  await checkScratchIsEmpty(cluster)
  watch.sayTotals()
  const seconds = (performance.now() - started) / 1000
  say(
    `sealed and stored in ${sealedSeconds.toFixed(1)} s; served, proven and unsealed after ${seconds.toFixed(1)} s`,
  )
}

async function addPiece(cluster: Cluster, pieceFile: string): Promise<number> {
  const args = ['sectors', 'add', '--piece', pieceFile, '--json']
  const added = JSON.parse(await command(cluster.sealer, args)) as {
    sector: { Number: number }
    pieces: { commitment: string; size: number; dataBytes: number }[]
  }
  const [piece] = added.pieces
  if (piece === undefined)
    throw new SealyardError({ code: 'TOUR', level: 'permanent', message: 'no piece was added' })
  say(
    `sector ${added.sector.Number}: ${formatBytes(piece.dataBytes)} of data padded to ${formatBytes(piece.size)}, piece commitment ${piece.commitment}`,
  )
  return added.sector.Number
}

async function showListings(cluster: Cluster, number: number): Promise<void> {
  const [worker] = cluster.workers
  const listings: [typeof cluster.sealer, string[]][] = [
    [cluster.sealer, ['storage', 'list']],
    [cluster.sealer, ['info']],
    ...(worker === undefined ? [] : ([[worker, ['info']]] as [typeof cluster.sealer, string[]][])),
    [cluster.sealer, ['sectors', 'status', String(number)]],
    [cluster.sealer, ['storage', 'find', String(number)]],
  ]
  const outputs = await Promise.all(listings.map(([node, args]) => command(node, args)))
  for (const [index, [node, args]] of listings.entries()) show(spell(node, args), outputs[index] ?? '')
}

async function proveStored(cluster: Cluster, number: number, parameters: PostParameters): Promise<void> {
  await parameters.ready()
  const report = await (await sealerOf(cluster)).ProveWindowPost([number])
  const urls = report.readings.map((reading) => reading.url).join(' and ')
  if (!report.valid) {
    throw new SealyardError({
      code: 'POST_INVALID',
      level: 'permanent',
      message: `the window PoSt over sector ${number} is not valid`,
    })
  }
  say(
    `window PoSt over the stored files, read through ${urls}: valid, ${report.proofBytes} bytes in ${report.seconds.toFixed(1)} s`,
  )
}

async function unseal(
  cluster: Cluster,
  number: number,
  pieceFile: string,
  watch: SectorWatch,
): Promise<void> {
  const started = performance.now()
  await command(cluster.sealer, ['sectors', 'unseal', String(number)])
  await watch.sayTransfers()
  say(`UNS      sector ${number} is unsealed again in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  const output = join(cluster.directory, 'piece.unsealed.bin')
  await command(cluster.sealer, ['sectors', 'extract-piece', String(number), output])
  checkExtracted(await readFile(pieceFile), await readFile(output))
}
