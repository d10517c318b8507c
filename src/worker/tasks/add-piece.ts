import { join } from 'node:path'
import type { PieceSource } from '../../proofs/task-executor.ts'
import type { PieceInfo, ReaderParameter } from '../../protocol/types.ts'
import { unsealedCid } from '../../sectors/commitments.ts'
import { fileTypeBits } from '../../sectors/file-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import { makeDurable } from '../../storage/made-durable.ts'
import { contextOf, type TaskTools, withFiles } from '../task-tools.ts'

export interface AddPieceCall {
  readonly sector: SectorRef
  /** Unpadded sizes of the pieces that are there already. */
  readonly existingPieces: readonly number[]
  /** Unpadded bytes. */
  readonly pieceBytes: number
  readonly reader: ReaderParameter
}

/** AP: the reader's bytes become the sector's next piece. */
export async function addPiece(tools: TaskTools, call: AddPieceCall): Promise<PieceInfo> {
  const unsealed = fileTypeBits('unsealed')
  const isFirst = call.existingPieces.length === 0
  const request = {
    task: 'AP' as const,
    sector: call.sector,
    existing: isFirst ? 0 : unsealed,
    allocate: unsealed,
    kind: 'sealing' as const,
    scratchBytes: call.reader.Type === 'null' ? 0 : call.pieceBytes,
  }
  return withFiles(tools, request, async (files) => {
    const piece = await tools.executor.addPiece(
      {
        sector: call.sector,
        unsealed: files.file('unsealed').file,
        existingPieces: call.existingPieces,
        pieceBytes: call.pieceBytes,
        source: await receive(tools, call, files.scratch),
      },
      contextOf(tools, files.scratch),
    )
    // The prover syncs the content; its name is ours. With the answer the sealer drops the staged data.
    await makeDurable('AP', [files.file('unsealed').file])
    return { Size: piece.paddedBytes, PieceCID: unsealedCid(piece.commitment) }
  })
}

/** The whole piece is here before the sector is touched: a push that breaks off leaves the sector as it was. */
async function receive(tools: TaskTools, call: AddPieceCall, scratch: string): Promise<PieceSource> {
  if (call.reader.Type === 'null') return { kind: 'zeroes' }
  const file = join(scratch, 'piece')
  const { bytes } = await tools.readers.receive(call.reader, file, call.pieceBytes)
  return { kind: 'file', file, dataBytes: bytes }
}
