import type { SectorCids } from '../../protocol/types.ts'
import { sealedCid, unsealedCid } from '../../sectors/commitments.ts'
import { fileTypeBits } from '../../sectors/file-types.ts'
import { sealProof } from '../../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../../sectors/sector-id.ts'
import { listCache } from '../../storage/cache-directory.ts'
import { makeDurable } from '../../storage/made-durable.ts'
import type { AcquiredFiles } from '../../storage/node-storage.ts'
import { type CacheOrigin, planPreCommit2 } from '../cache-plan.ts'
import { workerError } from '../errors.ts'
import { contextOf, type TaskTools, withFiles } from '../task-tools.ts'
import { makeLayers } from './pre-commit-1.ts'

export interface PreCommit2Call {
  readonly sector: SectorRef
  /** Base64. */
  readonly phase1Output: string
}

/**
 * PC2. Its own leftovers are never built on: see `planPreCommit2`.
 * @throws WorkerError CACHE_UNUSABLE
 */
export async function preCommit2(tools: TaskTools, call: PreCommit2Call): Promise<SectorCids> {
  const request = {
    task: 'PC2' as const,
    sector: call.sector,
    existing: fileTypeBits('sealed', 'cache'),
    // Room for the trees, in the cache that is there.
    allocate: fileTypeBits('cache'),
    kind: 'sealing' as const,
  }
  return withFiles(tools, request, async (files) => {
    const phase1Output = await readyLayers(tools, call, files)
    const { records } = tools.storage
    const cache = files.file('cache')
    const sealed = files.file('sealed')
    await records.setPhase(call.sector.ID, cache.pathId, 'pc2-started')
    const { commD, commR } = await tools.executor.preCommit2(
      { sector: call.sector, sealed: sealed.file, cache: cache.file, phase1Output },
      contextOf(tools, files.scratch),
    )
    await makeDurable('PC2', [cache.file, sealed.file])
    await records.setPhase(call.sector.ID, cache.pathId, 'pc2')
    return { Unsealed: unsealedCid(commD), Sealed: sealedCid(commR) }
  })
}

/** @returns the output of PC1 to go on with */
async function readyLayers(
  tools: TaskTools,
  call: PreCommit2Call,
  files: AcquiredFiles,
): Promise<Uint8Array> {
  const cache = files.file('cache')
  const record = await tools.storage.records.get(call.sector.ID, cache.pathId)
  const plan = planPreCommit2(sealProof(call.sector.ProofType), record, await listCache(cache.file))
  if (plan.how === 'refuse') {
    throw workerError({ code: 'CACHE_UNUSABLE', message: plan.reason, sector: call.sector.ID })
  }
  if (plan.how === 'run') return Buffer.from(call.phase1Output, 'base64')
  tools.log.info('PC2 was begun in this cache before: PC1 runs again first, skipping whole layers', {
    sector: sectorName(call.sector.ID),
    task: 'PC2',
    storagePath: cache.pathId,
  })
  return repair(tools, call.sector, plan.origin, files)
}

/** The sealed file is copied from unsealed afresh and the trees go; the layers stay. */
async function repair(
  tools: TaskTools,
  sector: SectorRef,
  origin: CacheOrigin,
  files: AcquiredFiles,
): Promise<Uint8Array> {
  const unsealed = fileTypeBits('unsealed')
  const request = {
    task: 'PC2' as const,
    sector,
    existing: unsealed,
    allocate: 0,
    kind: 'sealing' as const,
  }
  return withFiles(tools, request, (held) =>
    makeLayers(tools, sector, origin, {
      unsealed: held.file('unsealed'),
      sealed: files.file('sealed'),
      cache: files.file('cache'),
      scratch: files.scratch,
    }),
  )
}
