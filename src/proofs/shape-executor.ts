import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFileBytes } from '../sectors/cache-file-bytes.ts'
import type { CachePhase } from '../sectors/cache-files.ts'
import type { Hex32 } from '../sectors/commitments.ts'
import { paddedSize, sealProof } from '../sectors/proof-types.ts'
import type { SectorRef } from '../sectors/sector-id.ts'
import { type ProofError, proofError } from './errors.ts'
import type {
  AddPieceTask,
  FinalizeTask,
  PieceCommitmentTask,
  PieceSource,
  PreCommit1Task,
  PreCommit2Task,
  SealCommitments,
  SealPiece,
  TaskContext,
  TaskExecutor,
  UnsealTask,
} from './task-executor.ts'

const NOTICE = 'shape: writes files, does not seal'

/**
 * For storage benchmarks: leaves files of the right names and sizes (sparse), and stand-in commitments that are the
 * same for the same sector. What would be a proof, or somebody's data, is refused in words.
 */
export class ShapeExecutor implements TaskExecutor {
  readonly kind = 'shape'
  readonly description = NOTICE

  async addPiece({ sector, unsealed, ...piece }: AddPieceTask, context: TaskContext): Promise<SealPiece> {
    requireRunning(context)
    await makeSparse(unsealed, sealProof(sector.ProofType).sectorSize)
    return standInPiece(piece.pieceBytes, piece.source)
  }

  async pieceCommitment(task: PieceCommitmentTask, context: TaskContext): Promise<SealPiece> {
    requireRunning(context)
    return standInPiece(task.pieceBytes, task.source)
  }

  async preCommit1(task: PreCommit1Task, context: TaskContext): Promise<Uint8Array> {
    requireRunning(context)
    const { sector, sealed, cache, pieces } = task
    await makeSparse(sealed, sealProof(sector.ProofType).sectorSize)
    await makeCache(sector, cache, 'pc1')
    return Buffer.from(JSON.stringify({ notice: NOTICE, comm_d: standInCommD(pieces) }))
  }

  async preCommit2(task: PreCommit2Task, context: TaskContext): Promise<SealCommitments> {
    requireRunning(context)
    const { sector, cache, phase1Output } = task
    const commD = commDOf(phase1Output)
    await makeCache(sector, cache, 'pc2')
    return { commD, commR: standIn('comm_r', sector.ID.Miner, sector.ID.Number, commD) }
  }

  async finalize({ sector, cache }: FinalizeTask, context: TaskContext): Promise<void> {
    requireRunning(context)
    const kept = cacheFileBytes(sealProof(sector.ProofType), 'finalized')
    const files = await readdir(cache)
    const trimmed = files.filter((name) => /^sc-02-data-(layer|tree-[cd])/.test(name) && !kept.has(name))
    for (const name of trimmed) await rm(join(cache, name), { force: true })
  }

  async unseal({ sector, unsealed }: UnsealTask, context: TaskContext): Promise<void> {
    requireRunning(context)
    await makeSparse(unsealed, sealProof(sector.ProofType).sectorSize)
  }

  /** There is nothing in a sparse file that could be freed. */
  async freeUnsealed(): Promise<void> {}

  readUnsealed(): Promise<number> {
    return Promise.reject(refusal('the data of pieces is not kept'))
  }

  commit1(): Promise<void> {
    return Promise.reject(refusal('there is nothing to prove'))
  }

  commit2(): Promise<Uint8Array> {
    return Promise.reject(refusal('there is nothing to prove'))
  }

  verifySeal(): Promise<boolean> {
    return Promise.reject(refusal('it cannot verify a seal'))
  }

  postChallenges(): Promise<Map<number, number[]>> {
    return Promise.reject(refusal('its sectors cannot be challenged'))
  }

  vanillaPost(): Promise<Uint8Array> {
    return Promise.reject(refusal('there is nothing to prove'))
  }

  windowPost(): Promise<Uint8Array> {
    return Promise.reject(refusal('there is nothing to prove'))
  }

  verifyWindowPost(): Promise<boolean> {
    return Promise.reject(refusal('it cannot verify a proof'))
  }

  async canCommit2(): Promise<boolean> {
    return false
  }

  async commit2Lacks(): Promise<string> {
    return 'it seals nothing: there is nothing to prove'
  }

  async canVerifySeal(): Promise<boolean> {
    return false
  }

  async canProvePost(): Promise<boolean> {
    return false
  }
}

function refusal(why: string): ProofError {
  return proofError('DOES_NOT_SEAL', `${NOTICE}; ${why} (setting Proofs.Executor chooses the executor)`)
}

function requireRunning({ signal }: TaskContext): void {
  if (signal?.aborted) throw proofError('TASK_ABORTED', 'the task was stopped before it began')
}

async function makeCache(sector: SectorRef, cache: string, phase: CachePhase): Promise<void> {
  await mkdir(cache, { recursive: true })
  for (const [name, bytes] of cacheFileBytes(sealProof(sector.ProofType), phase)) {
    await makeSparse(join(cache, name), bytes)
  }
}

async function makeSparse(path: string, bytes: number): Promise<void> {
  // Not 'w': a file that is there keeps its blocks, and only gets its size.
  const file = await open(path, 'a')
  try {
    await file.truncate(bytes)
  } finally {
    await file.close()
  }
}

function standInPiece(pieceBytes: number, source: PieceSource): SealPiece {
  const from = source.kind === 'file' ? source.dataBytes : 'zeroes'
  return { commitment: standIn('piece', pieceBytes, from), paddedBytes: paddedSize(pieceBytes) }
}

function standInCommD(pieces: readonly SealPiece[]): Hex32 {
  const [only] = pieces
  // As with real seals: one piece that fills the sector is the sector.
  if (pieces.length === 1 && only !== undefined) return only.commitment
  return standIn('comm_d', ...pieces.flatMap((piece) => [piece.commitment, piece.paddedBytes]))
}

function commDOf(phase1Output: Uint8Array): Hex32 {
  try {
    const { comm_d } = JSON.parse(Buffer.from(phase1Output).toString('utf8')) as { comm_d?: unknown }
    if (typeof comm_d === 'string' && /^[0-9a-f]{64}$/.test(comm_d)) return comm_d
  } catch {
    // Said below: it is no JSON.
  }
  throw refusal('this output of PC1 is not its own')
}

/** 32 bytes whose two highest bits are clear, as in every commitment. */
function standIn(...parts: (string | number)[]): Hex32 {
  const hash = createHash('sha256')
    .update(`${NOTICE}\n${parts.join('\n')}`)
    .digest()
  hash.writeUInt8(hash.readUInt8(31) & 0x3f, 31)
  return hash.toString('hex')
}
