import { base64OfHex, unsealedCid } from '../../src/sectors/commitments.ts'
import { sealProof } from '../../src/sectors/proof-types.ts'

/** A 2 KiB sector of the current proof version. */
export const SECTOR = { ID: { Miner: 1000, Number: 7 }, ProofType: 5 }
export const PROOF = sealProof(SECTOR.ProofType)
export const TICKET = base64OfHex('11'.repeat(32))
export const OTHER_TICKET = base64OfHex('22'.repeat(32))
export const SEED = base64OfHex('33'.repeat(32))
export const PIECES = [{ Size: 2048, PieceCID: unsealedCid('44'.repeat(32)) }]
export const PATH_ID = 'path-1'

/** What happened, in order: `acquire PC1`, `run preCommit1`, … */
export type Events = string[]
