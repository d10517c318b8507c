import type { StorageInfo, Tier, WorkerInfo } from '../../src/protocol/types.ts'
import type { Brought, Selector, TaskRequest } from '../../src/scheduler/decide/request.ts'
import type { Experience, Snapshot, WorkerView } from '../../src/scheduler/decide/snapshot.ts'
import { TaskCounts, Usage } from '../../src/scheduler/decide/usage.ts'
import { resourceTable } from '../../src/scheduler/resources.ts'
import type { Holding, PathView } from '../../src/sector-index/path-view.ts'
import { fileTypeBits, type SectorFileType } from '../../src/sectors/file-types.ts'
import type { SectorId } from '../../src/sectors/sector-id.ts'
import { TASK, TASK_CODES, type TaskCode } from '../../src/sectors/task-types.ts'
import { fsStat, pathInfo, TIB } from '../sector-index/index-at-hand.ts'

export const GIB = 2 ** 30
/** 32 GiB, V1_1. */
export const PROOF_32G = 8
/** A PC2 that takes all 32 cores of the reference machine, as lotus' own tests set it up. */
export const PC2_TAKES_ALL = { PC2_MAX_PARALLELISM: '32' }

/** lotus' reference machine: 128 GiB, 200 GiB of swap, 32 cores, no GPU. */
export function machine(env: Record<string, string> = {}, rest: Partial<WorkerInfo> = {}): WorkerInfo {
  return {
    Hostname: 'host',
    IgnoreResources: false,
    Resources: {
      MemPhysical: 128 * GIB,
      MemUsed: GIB,
      MemSwap: 200 * GIB,
      MemSwapUsed: GIB,
      CPUs: 32,
      GPUs: [],
      Resources: resourceTable(env),
    },
    ...rest,
  }
}

export function path(id: string, rest: Partial<StorageInfo> = {}, availableBytes = 8 * TIB): PathView {
  return { info: pathInfo(id, rest), stat: fsStat(availableBytes), heartbeatAgeMs: 0, unusable: null }
}

export const seal = (group: string | null = null): Partial<StorageInfo> => ({
  CanStore: false,
  ...(group === null ? {} : { Groups: [group], AllowTo: [group] }),
})
export const store: Partial<StorageInfo> = { CanSeal: false }

export interface WorkerSpec {
  readonly id: string
  readonly paths?: readonly string[]
  readonly tasks?: readonly TaskCode[]
  readonly machine?: string | null
  readonly tiers?: Readonly<Record<string, Tier>>
  readonly info?: WorkerInfo
  readonly rest?: Partial<WorkerView>
}

export function worker(spec: WorkerSpec): WorkerView {
  const counts = new TaskCounts()
  const info = spec.info ?? machine()
  return {
    id: spec.id,
    hostname: spec.id,
    machine: spec.machine === undefined ? spec.id : spec.machine,
    enabled: true,
    info,
    tasks: new Set((spec.tasks ?? TASK_CODES).map((code) => TASK[code])),
    paths: new Set(spec.paths ?? []),
    tier: (from, to) => (from === to ? 'in-place' : (spec.tiers?.[`${from} ${to}`] ?? null)),
    active: new Usage(counts),
    preparing: new Usage(counts),
    windows: [],
    running: [],
    waiting: [],
    given: new Map(),
    refusals: new Map(),
    ...spec.rest,
  }
}

export interface RequestSpec {
  readonly task: TaskCode
  readonly sector?: number
  readonly selector?: Selector
  readonly brings?: Brought | null
  readonly priority?: number
  readonly id?: string
}

export function request(spec: RequestSpec): TaskRequest {
  const number = spec.sector ?? 1
  return {
    id: spec.id ?? `${spec.task}-${number}`,
    sector: { ID: { Miner: 1005, Number: number }, ProofType: PROOF_32G },
    task: TASK[spec.task],
    priority: spec.priority ?? 0,
    selector: spec.selector ?? { kind: 'any' },
    brings: spec.brings ?? null,
    queuedAtMs: 0,
  }
}

/** Path → what it holds of the one sector in question. */
export type Held = Readonly<Record<string, readonly SectorFileType[]>>

export interface Scene {
  readonly workers: readonly WorkerView[]
  readonly queue: readonly TaskRequest[]
  readonly paths?: readonly PathView[]
  readonly held?: Held
  /** Owners of the open windows; two of each worker when absent. */
  readonly windows?: readonly string[]
  readonly experience?: Partial<Experience>
  readonly monotonicMs?: number
}

export function snapshot(scene: Scene): Snapshot {
  const holdings = Object.entries(scene.held ?? {}).map(([pathId, types]): Holding => {
    const bits = fileTypeBits(...types)
    return { pathId, bits, primaryBits: bits }
  })
  return {
    nowMs: Date.UTC(2026, 0, 1),
    monotonicMs: scene.monotonicMs ?? 0,
    queue: scene.queue,
    openWindows: scene.windows ?? scene.workers.flatMap((each) => [each.id, each.id]),
    workers: new Map(scene.workers.map((each) => [each.id, each])),
    index: { paths: scene.paths ?? [], holdings: (_sector: SectorId) => holdings },
    experience: { taskMs: () => null, bytesPerSecond: () => 1e9, ...scene.experience },
  }
}

export const bits = fileTypeBits
