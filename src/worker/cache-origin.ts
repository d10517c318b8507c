import type { SealPiece } from '../proofs/task-executor.ts'
import type { PieceInfo } from '../protocol/types.ts'
import { base64OfHex, hexOfBase64, unsealedCommitment } from '../sectors/commitments.ts'
import type { CacheOrigin } from './cache-plan.ts'

/** What PC1 was asked for, as it is recorded. @throws SealyardError BAD_COMMITMENT for a ticket that is none */
export function originOf(ticket: string, pieces: readonly PieceInfo[]): CacheOrigin {
  return {
    // One spelling only, whatever the sender's base64 looks like.
    ticket: base64OfHex(hexOfBase64(ticket)),
    pieces: pieces.map((piece) => `${piece.PieceCID['/']}:${piece.Size}`),
  }
}

/** The pieces of a record, for the executor. */
export function recordedPieces(origin: CacheOrigin): SealPiece[] {
  return origin.pieces.map((text) => {
    const [cid = '', size = ''] = text.split(':')
    return { commitment: unsealedCommitment({ '/': cid }), paddedBytes: Number(size) }
  })
}
