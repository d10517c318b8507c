import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import { HttpConnections } from '../protocol/http-exchange.ts'
import { authorization } from '../protocol/rpc-client.ts'
import { sealedCid } from '../sectors/commitments.ts'
import { SEAL_PROOFS, sealProof } from '../sectors/proof-types.ts'
import { pipelineError } from './errors.ts'
import { known, type SectorRecord } from './sector-record.ts'

/** The field's time for reading one sector (`[Proving] SingleCheckTimeout`). */
const READ_TIMEOUT_MS = 600_000
/** `StackedDrgWindow2KiBV1_1` of the field's registered PoSt proofs; the other sizes follow. */
const FIRST_WINDOW_POST_PROOF = 10
const SIZES = SEAL_PROOFS.filter((proof) => proof.variant === 'v1_1').map((proof) => proof.sectorSize)

/** One node's word for one sector. */
export interface VanillaReading {
  /** Base URL of the node's `/remote`. */
  readonly url: string
  readonly proof: Buffer
  readonly milliseconds: number
}

/** Has vanilla proofs made by whichever node sees the files (`POST /remote/vanilla/single`). */
export class VanillaReader {
  readonly #token: string
  readonly #clock: Clock
  readonly #connections = new HttpConnections()

  constructor(token: string, clock: Clock) {
    this.#token = token
    this.#clock = clock
  }

  /** @throws PipelineError READING_FAILED, naming node and sector */
  async read(record: SectorRecord, challenges: readonly number[], url: string): Promise<VanillaReading> {
    const started = this.#clock.monotonicMs()
    const target = new URL(`${url.replace(/\/+$/, '')}/vanilla/single`)
    try {
      const reply = await this.#connections.exchange({
        method: 'POST',
        url: target,
        headers: { 'content-type': 'application/json', ...authorization(this.#token) },
        body: JSON.stringify(vanillaRequest(record, challenges)),
        timeoutMs: READ_TIMEOUT_MS,
      })
      if (reply.status !== 200) {
        throw new Error(`HTTP ${reply.status} ${reply.body.toString('utf8').split('\n', 1)[0] ?? ''}`.trim())
      }
      return { url, proof: reply.body, milliseconds: this.#clock.monotonicMs() - started }
    } catch (cause) {
      throw pipelineError({
        code: 'READING_FAILED',
        level: 'temporary',
        message: `${url} could not read sector ${record.id.Number}: ${describeError(cause)}`,
        sector: record.id,
        cause,
      })
    }
  }

  close(): void {
    this.#connections.close()
  }
}

function vanillaRequest(record: SectorRecord, challenges: readonly number[]) {
  return {
    Miner: record.id.Miner,
    Sector: {
      SealProof: record.proofType,
      SectorNumber: record.id.Number,
      SealedCID: sealedCid(known(record.commR, record, 'comm_r')),
      Challenge: challenges,
      Update: false,
    },
    ProofType: FIRST_WINDOW_POST_PROOF + SIZES.indexOf(sealProof(record.proofType).sectorSize),
  }
}
