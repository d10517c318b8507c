import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { SealyardError } from '../base/errors.ts'

/** 32 bytes as 64 lower-case hexadecimal digits: how commitments, tickets and seeds travel inside. */
export type Hex32 = string

/** A CID as the field's JSON writes it. */
export interface CidJson {
  '/': string
}

interface CommitmentKind {
  readonly codec: number
  readonly hash: number
  readonly words: string
}

// Numbers of the multicodec table: fil-commitment-unsealed with sha2-256-trunc254-padded,
// fil-commitment-sealed with poseidon-bls12_381-a2-fc1.
const UNSEALED: CommitmentKind = { codec: 0xf101, hash: 0x1012, words: 'of unsealed data (baga6ea4seaq…)' }
const SEALED: CommitmentKind = { codec: 0xf102, hash: 0xb401, words: 'of a sealed sector (bagboea4b5abc…)' }

/** comm_d, or a piece commitment: `baga6ea4seaq…` */
export function unsealedCid(commitment: Hex32): CidJson {
  return toCid(UNSEALED, commitment)
}

/** comm_r: `bagboea4b5abc…` */
export function sealedCid(commitment: Hex32): CidJson {
  return toCid(SEALED, commitment)
}

/** @throws SealyardError BAD_COMMITMENT when the CID is no commitment of unsealed data */
export function unsealedCommitment(cid: CidJson): Hex32 {
  return fromCid(UNSEALED, cid)
}

/** @throws SealyardError BAD_COMMITMENT when the CID is no commitment of a sealed sector */
export function sealedCommitment(cid: CidJson): Hex32 {
  return fromCid(SEALED, cid)
}

/** Base64 of 32 bytes (ticket, seed), as Go's JSON has it, to hexadecimal. @throws SealyardError BAD_COMMITMENT */
export function hexOfBase64(base64: string): Hex32 {
  return asHex32(Buffer.from(base64, 'base64').toString('hex'))
}

export function base64OfHex(hex: Hex32): string {
  return Buffer.from(asHex32(hex), 'hex').toString('base64')
}

function toCid(kind: CommitmentKind, commitment: Hex32): CidJson {
  const digest = createDigest(kind.hash, Buffer.from(asHex32(commitment), 'hex'))
  return { '/': CID.createV1(kind.codec, digest).toString() }
}

function fromCid(kind: CommitmentKind, cid: CidJson): Hex32 {
  const parsed = parseCid(cid['/'])
  if (parsed === null || parsed.code !== kind.codec || parsed.multihash.code !== kind.hash) {
    throw bad(`'${cid['/']}' is not a commitment ${kind.words}`)
  }
  return asHex32(Buffer.from(parsed.multihash.digest).toString('hex'))
}

function parseCid(text: string): CID | null {
  try {
    return CID.parse(text)
  } catch {
    return null
  }
}

function asHex32(hex: string): Hex32 {
  if (/^[0-9a-f]{64}$/.test(hex)) return hex
  throw bad(`'${hex.slice(0, 80)}' is not 32 bytes in lower-case hexadecimal`)
}

function bad(message: string): SealyardError {
  return new SealyardError({ code: 'BAD_COMMITMENT', level: 'permanent', message })
}
