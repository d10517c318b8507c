import type { PieceData } from '../scheduler/sector-tasks.ts'
import { unpaddedSize } from '../sectors/proof-types.ts'
import { pipelineError } from './errors.ts'
import type { SectorFields } from './sector-record.ts'
import { refOf, type SectorPiece, type SectorRecord } from './sector-record.ts'
import type { SectorEvent } from './sector-store.ts'
import type { Step, StepTools } from './step.ts'

/** One more piece up to the last one with data, zeroes between them included. */
export const addPiece: Step = async (record, tools, signal) => {
  const index = record.pieces.findIndex((piece) => !piece.added)
  if (index < 0 || !hasDataFrom(record, index)) {
    return { to: 'Packing', event: { kind: 'AP', message: 'all data is in the sector' } }
  }
  const { set, event } = await addNext(record, index, tools, signal)
  return { to: hasDataFrom(record, index + 1) ? 'AddPiece' : 'Packing', set, event }
}

/** Zeroes up to the sector's end. All data lies in the sector by now, so that the staged files go. */
export const packing: Step = async (record, tools, signal) => {
  if (record.staging !== null) await tools.staging.drop(record.staging)
  const index = record.pieces.findIndex((piece) => !piece.added)
  if (index < 0) {
    return { to: 'GetTicket', set: { staging: null }, event: { kind: 'AP', message: 'the sector is full' } }
  }
  const { set, event } = await addNext(record, index, tools, signal)
  const isLast = index + 1 === record.pieces.length
  return { to: isLast ? 'GetTicket' : 'Packing', set: { ...set, staging: null }, event }
}

function hasDataFrom(record: SectorRecord, index: number): boolean {
  return record.pieces.slice(index).some((piece) => piece.dataBytes > 0)
}

async function addNext(
  record: SectorRecord,
  index: number,
  tools: StepTools,
  signal: AbortSignal,
): Promise<{ set: SectorFields; event: SectorEvent }> {
  const piece = record.pieces[index] as SectorPiece
  const existing = record.pieces.slice(0, index).map((each) => unpaddedSize(each.size))
  const data = pieceData(record, piece, tools)
  const info = await tools.tasks.addPiece(refOf(record), existing, unpaddedSize(piece.size), data, signal)
  const commitment = info.PieceCID['/']
  if (piece.commitment !== null && piece.commitment !== commitment) {
    throw pipelineError({
      code: 'PIECE_CHANGED',
      message: `piece ${index} has the commitment ${commitment} in the sector, but ${piece.commitment} was promised`,
      sector: record.id,
    })
  }
  const pieces = record.pieces.with(index, { ...piece, commitment, added: true })
  const words = piece.dataBytes > 0 ? `${piece.dataBytes} bytes of data` : 'zeroes'
  const message = `piece ${index}: ${words}, ${piece.size} bytes padded, ${commitment}`
  return { set: { pieces }, event: { kind: 'AP', message } }
}

function pieceData(record: SectorRecord, piece: SectorPiece, tools: StepTools): PieceData {
  if (piece.file === null || record.staging === null) return { kind: 'zeroes' }
  return { kind: 'file', file: tools.staging.path(record.staging, piece.file), dataBytes: piece.dataBytes }
}
