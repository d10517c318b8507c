import type { PieceInfo } from '../../protocol/types.ts'
import { hexOfBase64 } from '../../sectors/commitments.ts'
import { fileTypeBits } from '../../sectors/file-types.ts'
import { sealProof } from '../../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../../sectors/sector-id.ts'
import { keepOnly, listCache, wholeLayers } from '../../storage/cache-directory.ts'
import { makeDurable } from '../../storage/made-durable.ts'
import type { AcquiredFiles, LocalFile } from '../../storage/node-storage.ts'
import { originOf, recordedPieces } from '../cache-origin.ts'
import { type CacheOrigin, planPreCommit1 } from '../cache-plan.ts'
import { contextOf, type TaskTools, withFiles } from '../task-tools.ts'

export interface PreCommit1Call {
  readonly sector: SectorRef
  /** Base64. */
  readonly ticket: string
  readonly pieces: readonly PieceInfo[]
}

/** PC1. @returns its output, base64 */
export async function preCommit1(tools: TaskTools, call: PreCommit1Call): Promise<string> {
  const origin = originOf(call.ticket, call.pieces)
  const request = {
    task: 'PC1' as const,
    sector: call.sector,
    existing: fileTypeBits('unsealed'),
    allocate: fileTypeBits('sealed', 'cache'),
    kind: 'sealing' as const,
  }
  return withFiles(tools, request, async (files) => {
    const output = await makeLayers(tools, call.sector, origin, {
      unsealed: files.file('unsealed'),
      sealed: files.file('sealed'),
      cache: files.file('cache'),
      scratch: files.scratch,
    })
    return Buffer.from(output).toString('base64')
  })
}

export interface SealingFiles {
  readonly unsealed: LocalFile
  readonly sealed: LocalFile
  readonly cache: LocalFile
  readonly scratch: AcquiredFiles['scratch']
}

/** PC1 in a cache that holds nothing but what it may build on; recorded before and after. */
export async function makeLayers(
  tools: TaskTools,
  sector: SectorRef,
  origin: CacheOrigin,
  files: SealingFiles,
): Promise<Uint8Array> {
  await clearForPreCommit1(tools, sector, origin, files.cache)
  const output = await tools.executor.preCommit1(
    {
      sector,
      unsealed: files.unsealed.file,
      sealed: files.sealed.file,
      cache: files.cache.file,
      ticket: hexOfBase64(origin.ticket),
      pieces: recordedPieces(origin),
    },
    contextOf(tools, files.scratch),
  )
  await makeDurable('PC1', [files.cache.file, files.sealed.file])
  await tools.storage.records.put(sector.ID, files.cache.pathId, { ...origin, phase: 'pc1' })
  return output
}

/**
 * The order is what makes it safe: a record with this ticket may only ever stand beside layers of this ticket,
 * wherever the power goes.
 */
async function clearForPreCommit1(
  tools: TaskTools,
  sector: SectorRef,
  origin: CacheOrigin,
  cache: LocalFile,
): Promise<void> {
  const { records } = tools.storage
  const record = await records.get(sector.ID, cache.pathId)
  const started = { ...origin, phase: 'pc1-started' as const }
  const found = await listCache(cache.file)
  const isOfThisBoot = await records.isOfThisBoot(sector.ID, cache.pathId)
  if (planPreCommit1(record, origin, isOfThisBoot) === 'keep-layers') {
    await records.put(sector.ID, cache.pathId, started)
    await keepOnly(cache.file, wholeLayers(sealProof(sector.ProofType), found))
    return
  }
  if (found.length > 0) {
    const why =
      record?.phase === 'pc1-started' && !isOfThisBoot
        ? 'PC1 broke off in the cache before the machine was started anew, its layers may be hollow'
        : 'the cache was not made with this ticket and these pieces'
    tools.log.info(`${why}; it is emptied before PC1`, {
      sector: sectorName(sector.ID),
      task: 'PC1',
      storagePath: cache.pathId,
      files: found.length,
    })
  }
  await records.remove(sector.ID, cache.pathId)
  await keepOnly(cache.file, new Set())
  await records.put(sector.ID, cache.pathId, started)
}
