import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SealyardError } from '../base/errors.ts'
import { missingFiles, requiredCacheFiles } from '../sectors/cache-files.ts'
import { proofTypeForSize, sealProof } from '../sectors/proof-types.ts'
import { sectorName } from '../sectors/sector-id.ts'
import { type Cluster, MINER, sealerOf } from './cluster.ts'
import { say } from './say.ts'

/** Where the sector came to rest. */
export interface Stored {
  readonly name: string
  readonly directory: string
  readonly pathId: string
  /** Base URLs through which the path is seen, `http://…/remote`. */
  readonly urls: readonly string[]
}

function wrong(message: string): SealyardError {
  return new SealyardError({ code: 'TOUR_CHECK', level: 'permanent', message })
}

/** The sector is complete in one store path that is seen through two URLs. */
export async function checkStored(cluster: Cluster, number: number): Promise<Stored> {
  const sealer = await sealerOf(cluster)
  const sector = { Miner: MINER, Number: number }
  const holders = await sealer.StorageFindSector(sector, 2, 0, false)
  const [holder] = holders
  if (holder === undefined || holders.length !== 1 || !holder.CanStore) {
    throw wrong(
      `the sealed file of sector ${number} should be in one store path, it is in ${holders.length} paths`,
    )
  }
  const directory = (await sealer.StorageLocal())[holder.ID]
  if (directory === undefined) throw wrong(`the sealer does not see storage path ${holder.ID}`)
  const proof = sealProof(proofTypeForSize(2048))
  const name = sectorName(sector)
  const missing = missingFiles(
    requiredCacheFiles(proof, 'finalized'),
    await readdir(join(directory, 'cache', name)),
  )
  if (missing.length > 0) throw wrong(`the stored cache of ${name} lacks ${missing.join(', ')}`)
  say(`${name} is complete in ${directory}, seen through ${holder.BaseURLs.join(' and ')}`)
  return { name, directory, pathId: holder.ID, urls: holder.BaseURLs }
}

const RANGES = [
  [0, 99],
  [1000, 1023],
  [2047, 2047],
] as const

/** `GET /remote/sealed/…` with Range gives the file's very bytes, from each daemon that sees the store. */
export async function checkRanges(cluster: Cluster, stored: Stored): Promise<void> {
  const file = await readFile(join(stored.directory, 'sealed', stored.name))
  const token = (await readFile(join(cluster.sealer.repo, 'token'), 'utf8')).trim()
  if (stored.urls.length < 2)
    throw wrong(`the store path should have two URLs, it has ${stored.urls.join(', ')}`)
  for (const url of stored.urls) {
    for (const [first, last] of RANGES)
      await checkRange(`${url}/sealed/${stored.name}`, token, file, first, last)
    say(`GET ${url}/sealed/${stored.name} with Range: byte-exact, ${RANGES.length} ranges`)
  }
}

async function checkRange(
  url: string,
  token: string,
  file: Buffer,
  first: number,
  last: number,
): Promise<void> {
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, range: `bytes=${first}-${last}` },
  })
  const body = Buffer.from(await response.arrayBuffer())
  if (response.status === 206 && body.equals(file.subarray(first, last + 1))) return
  throw wrong(
    `GET ${url} with bytes=${first}-${last} answered ${response.status} and ${body.length} bytes that differ from the file`,
  )
}

export function checkExtracted(piece: Buffer, extracted: Buffer): void {
  if (!extracted.equals(piece)) {
    throw wrong(
      `the unsealed piece (${extracted.length} bytes) differs from the piece that went in (${piece.length} bytes)`,
    )
  }
  say(`the unsealed piece equals the piece that went in, ${piece.length} bytes`)
}

/** Nothing stays behind on scratch paths, and no space stays promised. */
export async function checkScratchIsEmpty(cluster: Cluster): Promise<void> {
  const scratch = ['tmpsealer', 'tmpw01', 'tmpw04'].map((name) => join(cluster.directory, name))
  for (const path of scratch) {
    const left = await sectorFilesBelow(path)
    if (left.length > 0) throw wrong(`${path} should be empty, it holds ${left.join(', ')}`)
  }
  const held = await (await sealerOf(cluster)).SpaceReservations()
  if (held.length > 0)
    throw wrong(`${held.length} reservations are still held: ${held.map((each) => each.task).join(', ')}`)
  say('scratch paths are empty, no space is reserved')
}

async function sectorFilesBelow(path: string): Promise<string[]> {
  const found: string[] = []
  for (const type of ['unsealed', 'sealed', 'cache', 'update', 'update-cache']) {
    const names = await readdir(join(path, type)).catch(() => [])
    const unfinished = await readdir(join(path, type, 'fetching')).catch(() => [])
    found.push(
      ...names.filter((name) => name !== 'fetching'),
      ...unfinished.map((name) => `fetching/${name}`),
    )
  }
  return found
}
