import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { Clock } from '../base/clock.ts'
import type { Hex32 } from '../sectors/commitments.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import type { Chain, ChainRandomness, CommitRequest, PreCommitRequest } from './chain.ts'

/** Mainnet's first epoch, 2020-08-24 22:00 UTC, and the length of one. */
const GENESIS_MS = Date.UTC(2020, 7, 24, 22)
const EPOCH_MS = 30_000
/** Epochs between a pre-commit and its seed: the network's PreCommitChallengeDelay. */
const SEED_DELAY_EPOCHS = 150
/** multicodec: dag-cbor, sha2-256 */
const DAG_CBOR = 0x71
const SHA2_256 = 0x12

export interface OfflineChainOptions {
  readonly clock: Clock
  /** Milliseconds that each wait takes in place of 30 s an epoch; 0 is allowed. */
  readonly waitMs: number
  /** Makes another cluster's randomness another one; any text. */
  readonly network?: string
}

/**
 * A chain made up on this machine. Tickets, seeds and message CIDs are hashes of what they belong to,
 * so asking again answers the same; epochs come from the clock, as mainnet counts them.
 */
export class OfflineChain implements Chain {
  readonly offline = true
  readonly #clock: Clock
  readonly #waitMs: number
  readonly #network: string

  constructor(options: OfflineChainOptions) {
    this.#clock = options.clock
    this.#waitMs = options.waitMs
    this.#network = options.network ?? 'sealyard-offline'
  }

  async ticket(sector: SectorId): Promise<ChainRandomness> {
    const epoch = this.#epoch()
    return { value: this.#randomness('ticket', sector, epoch), epoch }
  }

  async submitPreCommit(request: PreCommitRequest): Promise<string> {
    const { sector, proofType, commD, commR, ticketEpoch } = request
    return this.#message(
      'pre-commit',
      sectorName(sector),
      String(proofType),
      commD,
      commR,
      String(ticketEpoch),
    )
  }

  async preCommitLanded(_message: string, signal?: AbortSignal): Promise<number> {
    await this.#clock.sleep(this.#waitMs, signal)
    return this.#epoch()
  }

  async seed(sector: SectorId, landedEpoch: number, signal?: AbortSignal): Promise<ChainRandomness> {
    await this.#clock.sleep(this.#waitMs, signal)
    const epoch = landedEpoch + SEED_DELAY_EPOCHS
    return { value: this.#randomness('seed', sector, epoch), epoch }
  }

  async submitCommit(request: CommitRequest): Promise<string> {
    return this.#message('commit', sectorName(request.sector), Buffer.from(request.proof).toString('hex'))
  }

  async commitLanded(_message: string, signal?: AbortSignal): Promise<number> {
    await this.#clock.sleep(this.#waitMs, signal)
    return this.#epoch()
  }

  #epoch(): number {
    return Math.floor((this.#clock.now() - GENESIS_MS) / EPOCH_MS)
  }

  /** The proofs read it as a field element: the two highest bits (little-endian: of the last byte) must be clear. */
  #randomness(purpose: string, sector: SectorId, epoch: number): Hex32 {
    const digest = this.#hash(purpose, String(sector.Miner), String(sector.Number), String(epoch))
    digest[31] = (digest[31] ?? 0) & 0x3f
    return digest.toString('hex')
  }

  #message(...parts: string[]): string {
    return CID.createV1(DAG_CBOR, createDigest(SHA2_256, this.#hash('message', ...parts))).toString()
  }

  /** Parts are joined by a byte that none of them holds, so that no two lists hash alike. */
  #hash(...parts: string[]): Buffer {
    return createHash('sha256')
      .update([this.#network, ...parts].join('\0'))
      .digest()
  }
}
