import { randomBytes } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { IndexApi } from '../protocol/apis.ts'
import type { PostReport, SectorStorageInfo } from '../protocol/types.ts'
import type { Hex32 } from '../sectors/commitments.ts'
import { FILE_TYPE_BIT } from '../sectors/file-types.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { pipelineError } from './errors.ts'
import { known, type SectorRecord } from './sector-record.ts'
import type { SectorStore } from './sector-store.ts'
import type { Staging } from './staging.ts'
import type { SealerExecutor } from './step.ts'
import { VanillaReader } from './vanilla-reader.ts'

export interface PostTools {
  readonly store: SectorStore
  readonly staging: Staging
  readonly executor: SealerExecutor
  readonly index: Pick<IndexApi, 'StorageFindSector'>
  readonly token: () => Promise<string>
  readonly miner: number
  readonly clock: Clock
}

type Reading = PostReport['readings'][number]

/**
 * Makes and verifies a real window PoSt over stored sectors. The challenge is made up here; every node that
 * sees a sector's store path reads it, and all must read the same.
 * @throws PipelineError NO_PARAMETERS, NOT_STORED, SECTOR_STATE, READING_FAILED, READINGS_DIFFER
 */
export async function proveWindowPost(
  numbers: readonly number[],
  tools: PostTools,
  signal: AbortSignal,
): Promise<PostReport> {
  const started = tools.clock.monotonicMs()
  const sectors = await provableSectors(numbers, tools)
  const proofType = sectors[0].proofType
  await refuseWithoutParameters(proofType, tools.executor)
  const randomness = madeUpRandomness()
  const context = { proofType, miner: tools.miner, randomness }
  const { proof, valid, readings } = await tools.staging.scratch(async (scratch) => {
    const challenges = await tools.executor.postChallenges(
      { kind: 'window', ...context, sectors: sectors.map((record) => record.id.Number) },
      { scratch, signal },
    )
    const read = await readSectors(sectors, challenges, tools, signal)
    const proof = await tools.executor.windowPost(
      { ...context, vanillaProofs: read.proofs },
      { scratch, signal },
    )
    const claimed = sectors.map((record) => ({
      number: record.id.Number,
      commR: known(record.commR, record, 'comm_r'),
    }))
    const valid = await tools.executor.verifyWindowPost(
      { ...context, proof, sectors: claimed },
      { scratch, signal },
    )
    return { proof, valid, readings: read.readings }
  })
  return {
    valid,
    proofBytes: proof.length,
    // Whatever the chain: this challenge is none of its.
    offline: true,
    readings,
    seconds: (tools.clock.monotonicMs() - started) / 1000,
  }
}

/** In the order of their numbers, each once: the proof depends on the order. */
async function provableSectors(
  numbers: readonly number[],
  { store }: PostTools,
): Promise<[SectorRecord, ...SectorRecord[]]> {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b)
  const records = await Promise.all(sorted.map((number) => store.get(number)))
  for (const record of records) {
    if (record.state === 'Proving' && record.commR !== null) continue
    throw pipelineError({
      code: 'SECTOR_STATE',
      message: `sector ${record.id.Number} is in ${record.state}: a window PoSt is over stored sectors (Proving)`,
      sector: record.id,
    })
  }
  const [first, ...rest] = records
  if (first === undefined) {
    throw pipelineError({ code: 'SECTOR_STATE', message: 'name at least one sector to prove' })
  }
  const other = rest.find((record) => record.proofType !== first.proofType)
  if (other === undefined) return [first, ...rest]
  throw pipelineError({
    code: 'SECTOR_STATE',
    message: `sectors ${first.id.Number} and ${other.id.Number} have different proof types: prove them apart`,
    sector: other.id,
  })
}

async function refuseWithoutParameters(proofType: number, executor: SealerExecutor): Promise<void> {
  if (await executor.canProvePost('window', proofType)) return
  const { sizeName } = sealProof(proofType)
  const how =
    sizeName === '2KiB'
      ? "run 'sealyard-sealer parameters make --circuit window-post --sector-size 2KiB'"
      : 'let FIL_PROOFS_PARAMETER_CACHE name a directory that has them'
  throw pipelineError({
    code: 'NO_PARAMETERS',
    message: `the window PoSt parameters for ${sizeName} sectors are not here: ${how}`,
  })
}

/** The proofs read it as a field element: the two highest bits (of the last byte) must be clear. */
function madeUpRandomness(): Hex32 {
  const bytes = randomBytes(32)
  bytes[31] = (bytes[31] ?? 0) & 0x3f
  return bytes.toString('hex')
}

async function readSectors(
  sectors: readonly SectorRecord[],
  challenges: ReadonlyMap<number, number[]>,
  tools: PostTools,
  signal: AbortSignal,
): Promise<{ proofs: Buffer[]; readings: Reading[] }> {
  const reader = new VanillaReader(await tools.token(), tools.clock)
  const proofs: Buffer[] = []
  const readings: Reading[] = []
  try {
    for (const record of sectors) {
      signal.throwIfAborted()
      const read = await readSector(record, challenges.get(record.id.Number) ?? [], reader, tools)
      proofs.push(read.proof)
      readings.push(...read.readings)
    }
    return { proofs, readings }
  } finally {
    reader.close()
  }
}

async function readSector(
  record: SectorRecord,
  challenges: readonly number[],
  reader: VanillaReader,
  tools: PostTools,
): Promise<{ proof: Buffer; readings: Reading[] }> {
  const seen = (await storeHolders(record, tools)).flatMap((holder) =>
    holder.BaseURLs.map((url) => ({ url, pathId: holder.ID })),
  )
  const read = await Promise.all(
    seen.map(async ({ url, pathId }) => ({ pathId, ...(await reader.read(record, challenges, url)) })),
  )
  const [first] = read
  if (first === undefined) throw notStored(record)
  const other = read.find((reading) => !reading.proof.equals(first.proof))
  if (other !== undefined) {
    throw pipelineError({
      code: 'READINGS_DIFFER',
      message: `${first.url} and ${other.url} read different proofs of sector ${record.id.Number}: one of them sees other or damaged files`,
      sector: record.id,
    })
  }
  const readings = read.map(({ url, pathId, milliseconds }) => ({
    sector: record.id.Number,
    url,
    pathId,
    milliseconds,
  }))
  return { proof: first.proof, readings }
}

/** Store paths that hold both files a vanilla proof reads. */
async function storeHolders(record: SectorRecord, { index }: PostTools): Promise<SectorStorageInfo[]> {
  const [sealed, cache] = await Promise.all([
    index.StorageFindSector(record.id, FILE_TYPE_BIT.sealed, 0, false),
    index.StorageFindSector(record.id, FILE_TYPE_BIT.cache, 0, false),
  ])
  const withCache = new Set(cache.map((holder) => holder.ID))
  return sealed.filter((holder) => holder.CanStore && withCache.has(holder.ID))
}

function notStored(record: SectorRecord) {
  return pipelineError({
    code: 'NOT_STORED',
    message: `no attached store path holds the sealed file and the cache of sector ${record.id.Number}; 'storage find ${record.id.Number}' shows where they are`,
    sector: record.id,
  })
}
