import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PieceInfo, SectorCids } from '../../protocol/types.ts'
import { hexOfBase64, sealedCommitment, unsealedCommitment } from '../../sectors/commitments.ts'
import { fileTypeBits } from '../../sectors/file-types.ts'
import { sealProof } from '../../sectors/proof-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import { originOf } from '../cache-origin.ts'
import { commit1Objection } from '../cache-plan.ts'
import { workerError } from '../errors.ts'
import { contextOf, sealPieces, type TaskTools, withFiles } from '../task-tools.ts'

export interface Commit1Call {
  readonly sector: SectorRef
  /** Base64, as the seed. */
  readonly ticket: string
  readonly seed: string
  readonly pieces: readonly PieceInfo[]
  readonly cids: SectorCids
}

/** C1. @returns its output, base64 @throws WorkerError CACHE_UNUSABLE */
export async function commit1(tools: TaskTools, call: Commit1Call): Promise<string> {
  const request = {
    task: 'C1' as const,
    sector: call.sector,
    existing: fileTypeBits('sealed', 'cache'),
    allocate: 0,
    kind: 'sealing' as const,
    scratchBytes: outputRoom(call.sector.ProofType),
  }
  return withFiles(tools, request, async (files) => {
    const cache = files.file('cache')
    const record = await tools.storage.records.get(call.sector.ID, cache.pathId)
    const objection = commit1Objection(record, originOf(call.ticket, call.pieces))
    if (objection !== null) {
      throw workerError({ code: 'CACHE_UNUSABLE', message: objection, sector: call.sector.ID })
    }
    const output = join(files.scratch, 'commit-1')
    await tools.executor.commit1(
      {
        sector: call.sector,
        sealed: files.file('sealed').file,
        cache: cache.file,
        ticket: hexOfBase64(call.ticket),
        seed: hexOfBase64(call.seed),
        pieces: sealPieces(call.pieces),
        commD: unsealedCommitment(call.cids.Unsealed),
        commR: sealedCommitment(call.cids.Sealed),
        output,
      },
      contextOf(tools, files.scratch),
    )
    return readFile(output, 'base64')
  })
}

/** Bytes of C1's JSON, generously: 0.1 to 1.3 MB measured at the small sizes, some 50 MB expected at 32 GiB. */
function outputRoom(proofType: number): number {
  return sealProof(proofType).layers > 2 ? 128 * 2 ** 20 : 4 * 2 ** 20
}
