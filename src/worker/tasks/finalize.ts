import { fileTypeBits } from '../../sectors/file-types.ts'
import { sealProof } from '../../sectors/proof-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import { completePhase } from '../../storage/cache-completeness.ts'
import { listCache } from '../../storage/cache-directory.ts'
import { makeDurable } from '../../storage/made-durable.ts'
import { finalizeObjection } from '../cache-plan.ts'
import { workerError } from '../errors.ts'
import { contextOf, type TaskTools, withFiles } from '../task-tools.ts'

/** FIN: trims the cache where it lies. The move to a store path is a task of its own (GET). */
export async function finalize(tools: TaskTools, sector: SectorRef): Promise<void> {
  const request = {
    task: 'FIN' as const,
    sector,
    existing: fileTypeBits('cache'),
    allocate: 0,
    kind: 'sealing' as const,
  }
  await withFiles(tools, request, async (files) => {
    const { records } = tools.storage
    const cache = files.file('cache')
    const proof = sealProof(sector.ProofType)
    const record = await records.get(sector.ID, cache.pathId)
    const objection = finalizeObjection(proof, record, await listCache(cache.file))
    if (objection !== null) throw unusable(objection, sector)

    await tools.executor.finalize({ sector, cache: cache.file }, contextOf(tools, files.scratch))
    const verdict = completePhase(proof, await listCache(cache.file))
    if (verdict.phase !== 'finalized') {
      const found = verdict.phase === null ? verdict.problem : `a ${verdict.phase} cache`
      throw unusable(`after finalizing its cache is not a finalized one: ${found}`, sector)
    }
    await makeDurable('FIN', [cache.file])
    await records.setPhase(sector.ID, cache.pathId, 'finalized')
  })
}

function unusable(message: string, sector: SectorRef) {
  return workerError({ code: 'CACHE_UNUSABLE', message, sector: sector.ID })
}
