import type { TaskResources } from '../protocol/types.ts'
import type { SealProof } from '../sectors/proof-types.ts'
import type { TaskCode } from '../sectors/task-types.ts'

type Size = SealProof['shortSize']

const KIB = 2 ** 10
const MIB = 2 ** 20
const GIB = 2 ** 30

interface Row {
  readonly max: number
  readonly min: number
  readonly base: number
  /** Threads; −1 stands for 92 % of the cores. */
  readonly threads: number
  /** Threads when the GPU does the rest; 0 means as without. */
  readonly gpuThreads?: number
  readonly gpu?: number
}

const tiny = (threads: number, gpu = 0): Record<'8M' | '2K', Row> => ({
  '8M': { max: 8 * MIB, min: 8 * MIB, base: 8 * MIB, threads, gpu },
  '2K': { max: 2 * KIB, min: 2 * KIB, base: 2 * KIB, threads, gpu },
})

const addPiece: Record<Size, Row> = {
  '64G': { max: 8 * GIB, min: 8 * GIB, base: GIB, threads: 1 },
  '32G': { max: 4 * GIB, min: 4 * GIB, base: GIB, threads: 1 },
  '512M': { max: GIB, min: GIB, base: GIB, threads: 1 },
  ...tiny(1),
}

const preCommit1: Record<Size, Row> = {
  '64G': { max: 128 * GIB, min: 112 * GIB, base: 10 * MIB, threads: 1 },
  '32G': { max: 64 * GIB, min: 56 * GIB, base: 10 * MIB, threads: 1 },
  '512M': { max: GIB, min: 768 * MIB, base: MIB, threads: 1 },
  ...tiny(1),
}

const preCommit2: Record<Size, Row> = {
  '64G': { max: 30 * GIB, min: 30 * GIB, base: GIB, threads: -1, gpuThreads: 6, gpu: 1 },
  '32G': { max: 15 * GIB, min: 15 * GIB, base: GIB, threads: -1, gpuThreads: 6, gpu: 1 },
  '512M': { max: 1.5 * GIB, min: GIB, base: GIB, threads: -1 },
  ...tiny(-1),
}

const commit1: Record<Size, Row> = {
  '64G': { max: GIB, min: GIB, base: GIB, threads: 0 },
  '32G': { max: GIB, min: GIB, base: GIB, threads: 0 },
  '512M': { max: GIB, min: GIB, base: GIB, threads: 0 },
  ...tiny(0),
}

const commit2: Record<Size, Row> = {
  '64G': { max: 190 * GIB, min: 60 * GIB, base: 64 * GIB, threads: -1, gpuThreads: 6, gpu: 1 },
  '32G': { max: 150 * GIB, min: 30 * GIB, base: 32 * GIB, threads: -1, gpuThreads: 6, gpu: 1 },
  '512M': { max: 1.5 * GIB, min: GIB, base: 10 * GIB, threads: 1, gpu: 1 },
  ...tiny(1, 1),
}

const fetch: Record<Size, Row> = {
  '64G': { max: MIB, min: MIB, base: 0, threads: 0 },
  '32G': { max: MIB, min: MIB, base: 0, threads: 0 },
  '512M': { max: MIB, min: MIB, base: 0, threads: 0 },
  '8M': { max: MIB, min: MIB, base: 0, threads: 0 },
  '2K': { max: MIB, min: MIB, base: 0, threads: 0 },
}

const replicaUpdate: Record<Size, Row> = {
  '64G': { max: 8 * GIB, min: 8 * GIB, base: GIB, threads: 1, gpuThreads: 6, gpu: 1 },
  '32G': { max: 4 * GIB, min: 4 * GIB, base: GIB, threads: 1, gpuThreads: 6, gpu: 1 },
  '512M': { max: GIB, min: GIB, base: GIB, threads: 1, gpu: 1 },
  ...tiny(1, 1),
}

const windowPost: Record<Size, Row> = {
  '64G': { max: 120 * GIB, min: 60 * GIB, base: 64 * GIB, threads: -1, gpuThreads: 6, gpu: 1 },
  '32G': { max: 96 * GIB, min: 30 * GIB, base: 32 * GIB, threads: -1, gpuThreads: 6, gpu: 1 },
  '512M': { max: 1.5 * GIB, min: GIB, base: 10 * GIB, threads: 1, gpu: 1 },
  ...tiny(1, 1),
}

const winningPost: Record<Size, Row> = {
  '64G': { max: GIB, min: GIB, base: 64 * GIB, threads: -1, gpuThreads: 6, gpu: 1 },
  '32G': { max: GIB, min: GIB, base: 32 * GIB, threads: -1, gpuThreads: 6, gpu: 1 },
  '512M': { max: 2 * KIB, min: 2 * KIB, base: 10 * GIB, threads: 1, gpu: 1 },
  ...tiny(1, 1),
}

const dataCid: Record<Size, Row> = {
  '64G': addPiece['32G'],
  '32G': addPiece['32G'],
  '512M': addPiece['32G'],
  '8M': addPiece['32G'],
  '2K': addPiece['32G'],
}

/** lotus' table (lotus-compat 6.5). FIN, FUS, FRU and DL have no entry: they always fit. */
const ROWS: Partial<Record<TaskCode, Record<Size, Row>>> = {
  AP: addPiece,
  PC1: preCommit1,
  UNS: preCommit1,
  PC2: preCommit2,
  C1: commit1,
  PR1: commit1,
  C2: commit2,
  PR2: commit2,
  GET: fetch,
  RU: replicaUpdate,
  GSK: replicaUpdate,
  WDP: windowPost,
  WNP: winningPost,
  DC: dataCid,
}

export const TASKS_WITH_RESOURCES = Object.keys(ROWS) as TaskCode[]

/** What a task needs by default; a fresh object. */
export function defaultResources(code: TaskCode, size: Size): TaskResources {
  const row = ROWS[code]?.[size]
  return {
    MinMemory: row?.min ?? 0,
    MaxMemory: row?.max ?? 0,
    GPUUtilization: row?.gpu ?? 0,
    MaxParallelism: row?.threads ?? 0,
    MaxParallelismGPU: row?.gpuThreads ?? 0,
    BaseMinMemory: row?.base ?? 0,
    MaxConcurrent: 0,
  }
}
