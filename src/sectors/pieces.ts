import { SealyardError } from '../base/errors.ts'
import { unpaddedSize } from './proof-types.ts'

/** The smallest piece: 127 data bytes, 128 padded. */
const MIN_PIECE_BYTES = 128

/** One piece in its place. Sizes and offsets are padded bytes (127 → 128) unless the name says otherwise. */
export interface PlacedPiece {
  readonly offset: number
  readonly size: number
  /** Bytes that somebody brought; 0 for a piece of zeroes that only fills. */
  readonly dataBytes: number
}

/**
 * The padded size of the piece that holds `dataBytes` bytes: the next power of two with room for them at 127 of 128.
 * @throws SealyardError BAD_PIECE for nothing, or for a size that is no whole number
 */
export function pieceSizeFor(dataBytes: number): number {
  if (!Number.isSafeInteger(dataBytes) || dataBytes < 1) {
    throw badPiece(`a piece needs at least one byte of data, not ${dataBytes}`)
  }
  let size = MIN_PIECE_BYTES
  while (unpaddedSize(size) < dataBytes) size *= 2
  return size
}

/** @returns whether `size` is a piece's padded size: a power of two from 128 */
export function isPieceSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= MIN_PIECE_BYTES && Number.isInteger(Math.log2(size))
}

/**
 * Zero pieces that fill `bytes`, smallest first: one for each bit, as lotus packs.
 * @param bytes padded, a multiple of 128
 */
export function fillPieces(bytes: number): number[] {
  const sizes: number[] = []
  for (let size = MIN_PIECE_BYTES, rest = bytes; rest > 0; size *= 2) {
    if (rest % (2 * size) === 0) continue
    sizes.push(size)
    rest -= size
  }
  return sizes
}

/**
 * Lays pieces out in their order. Each starts at a multiple of its own size, zero pieces fill the gaps
 * and the end, so that the result covers the sector exactly.
 * @param dataBytes bytes of data of each piece; none for a sector of zeroes alone
 * @throws SealyardError PIECES_TOO_LARGE when they do not fit, BAD_PIECE for an empty one
 */
export function packPieces(dataBytes: readonly number[], sectorSize: number): PlacedPiece[] {
  const placed: PlacedPiece[] = []
  let end = 0
  const place = (size: number, data: number) => {
    placed.push({ offset: end, size, dataBytes: data })
    end += size
  }
  for (const bytes of dataBytes) {
    const size = pieceSizeFor(bytes)
    for (const gap of fillPieces((size - (end % size)) % size)) place(gap, 0)
    place(size, bytes)
  }
  if (end > sectorSize) {
    throw new SealyardError({
      code: 'PIECES_TOO_LARGE',
      level: 'permanent',
      message:
        `these pieces need ${end} bytes padded, a sector has ${sectorSize} ` +
        `(${unpaddedSize(sectorSize)} of data); put them in several sectors`,
    })
  }
  for (const size of fillPieces(sectorSize - end)) place(size, 0)
  return placed
}

/** A piece's first data byte and its length with padding, in unpadded bytes, as `AddPiece` and `UnsealPiece` count. */
export function unpaddedRange(piece: PlacedPiece): { offset: number; size: number } {
  return { offset: unpaddedSize(piece.offset), size: unpaddedSize(piece.size) }
}

function badPiece(message: string): SealyardError {
  return new SealyardError({ code: 'BAD_PIECE', level: 'permanent', message })
}
