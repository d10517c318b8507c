import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PostKind, TaskExecutor } from '../proofs/task-executor.ts'
import type { Cid, FsStat } from '../protocol/types.ts'
import { hexOfBase64, sealedCommitment, unsealedCommitment } from '../sectors/commitments.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { type SectorId, type SectorRef, sectorName } from '../sectors/sector-id.ts'
import type { NodeStorage } from '../storage/node-storage.ts'
import type { RemoveOptions } from '../storage/remove-files.ts'
import { workerError } from './errors.ts'

/** A vanilla proof of one sector, as the field's `/remote/vanilla/single` asks for it. */
export interface VanillaRequest {
  readonly Miner: number
  readonly Sector: {
    readonly SealProof: number
    readonly SectorNumber: number
    readonly SealedCID: Cid
    readonly Challenge: readonly number[]
    readonly Update: boolean
  }
  /** Registered PoSt proof type: winning 0–4, window 5–9, window V1.1 10–14. */
  readonly ProofType: number
}

/** C1 of a sector by its commitments alone, as the field's `/remote/vanilla/porep` asks for it. */
export interface VanillaPorepRequest {
  readonly Sector: SectorRef
  readonly Sealed: Cid
  readonly Unsealed: Cid
  /** Base64, as the seed. */
  readonly Ticket: string
  readonly Seed: string
}

/** The part of this node's storage that other nodes reach. */
export interface RemoteStorage extends Pick<NodeStorage, 'stat' | 'allocated' | 'find' | 'serveFound'> {
  remove(
    sector: SectorId,
    type: SectorFileType,
    keep: readonly string[],
    options: RemoveOptions,
  ): Promise<void>
}

export interface RemoteAnswersOptions {
  readonly storage: RemoteStorage
  readonly executor: Pick<TaskExecutor, 'vanillaPost' | 'commit1'>
  /** Directory below which a proof may make a private one; the system's temporary directory by default. */
  readonly scratch: string
}

/** What this node answers of `/remote`, but for the sector files themselves. */
export class RemoteAnswers {
  readonly #storage: RemoteStorage
  readonly #executor: Pick<TaskExecutor, 'vanillaPost' | 'commit1'>
  readonly #scratch: string

  constructor({ storage, executor, scratch }: RemoteAnswersOptions) {
    this.#storage = storage
    this.#executor = executor
    this.#scratch = scratch
  }

  stat(pathId: string): Promise<FsStat> {
    return this.#storage.stat(pathId)
  }

  serveFound(sector: SectorId, type: SectorFileType): Promise<boolean> {
    return this.#storage.serveFound(type, sector)
  }

  /** Unpadded bytes. */
  allocated(sector: SectorId, proofType: number, offset: number, size: number): Promise<boolean> {
    return this.#storage.allocated({ ID: sector, ProofType: proofType }, offset, size)
  }

  /** Who asks may be wrong about what else there is: the last copy in a store path is put aside, not deleted. */
  remove(sector: SectorId, type: SectorFileType, keep: readonly string[]): Promise<void> {
    return this.#storage.remove(sector, type, keep, { quarantineLastStoreCopy: true })
  }

  /**
   * Proves a sector from the files of this node.
   * @throws WorkerError NOT_HELD, NOT_SUPPORTED for an updated sector, BAD_REQUEST
   */
  async vanillaSingle(request: VanillaRequest): Promise<Uint8Array> {
    const { SealProof, SectorNumber, SealedCID, Challenge, Update } = request.Sector
    const id = { Miner: request.Miner, Number: SectorNumber }
    if (Update) {
      throw workerError({
        code: 'NOT_SUPPORTED',
        message: 'this node does not prove updated (snapped) sectors',
        sector: id,
      })
    }
    const kind = postKind(request.ProofType)
    const [sealed, cache] = await Promise.all([this.#held('sealed', id), this.#held('cache', id)])
    const task = {
      kind,
      sector: { ID: id, ProofType: SealProof },
      sealed,
      cache,
      commR: sealedCommitment(SealedCID),
      challenges: Challenge,
    }
    return this.#inScratch((scratch) => this.#executor.vanillaPost(task, { scratch }))
  }

  /**
   * C1 from the files of this node, for a caller that proves elsewhere. Which pieces the sector has does not matter to
   * it: as the field does, the data is taken for one piece.
   * @throws WorkerError NOT_HELD
   */
  async vanillaPorep({ Sector, Sealed, Unsealed, Ticket, Seed }: VanillaPorepRequest): Promise<Uint8Array> {
    const { ID: id, ProofType: proofType } = Sector
    const [sealed, cache] = await Promise.all([this.#held('sealed', id), this.#held('cache', id)])
    const commD = unsealedCommitment(Unsealed)
    const task = {
      sector: Sector,
      sealed,
      cache,
      ticket: hexOfBase64(Ticket),
      seed: hexOfBase64(Seed),
      pieces: [{ commitment: commD, paddedBytes: sealProof(proofType).sectorSize }],
      commD,
      commR: sealedCommitment(Sealed),
    }
    return this.#inScratch(async (scratch) => {
      const output = join(scratch, 'commit-1')
      await this.#executor.commit1({ ...task, output }, { scratch })
      return readFile(output)
    })
  }

  async #inScratch<T>(work: (scratch: string) => Promise<T>): Promise<T> {
    const scratch = await mkdtemp(join(this.#scratch, 'sealyard-vanilla-'))
    try {
      return await work(scratch)
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  }

  async #held(type: SectorFileType, sector: SectorId): Promise<string> {
    const found = await this.#storage.find(type, sector)
    if (found !== null) return found.file
    throw workerError({
      code: 'NOT_HELD',
      message: `the ${type} of ${sectorName(sector)} is not on this node`,
      sector,
    })
  }
}

/** go-state-types' RegisteredPoStProof: five sizes each of winning, window and window V1.1. */
function postKind(proofType: number): PostKind {
  if (proofType >= 0 && proofType <= 4) return 'winning'
  if (proofType >= 5 && proofType <= 14) return 'window'
  throw workerError({
    code: 'BAD_REQUEST',
    message: `PoSt proof type ${proofType} is unknown; winning are 0 to 4, window 5 to 14`,
  })
}
