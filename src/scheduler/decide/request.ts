import type { TaskResources, WorkerInfo } from '../../protocol/types.ts'
import type { FileTypeBits, SectorFileType } from '../../sectors/file-types.ts'
import { type SealProof, sealProof } from '../../sectors/proof-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import type { PathKind } from '../../sectors/space-tables.ts'
import { TASK, type TaskType } from '../../sectors/task-types.ts'
import { needsOf } from '../resources.ts'
import { counterOf, type UsedBy } from './usage.ts'

/**
 * Which workers a task may go to (lotus-compat 6.6):
 * `any` those that take the task; `alloc` with room for new files; `existing` those that hold the files, or could
 * fetch them; `move` those with a long-term place for the files.
 */
export type Selector =
  | { readonly kind: 'any' }
  | { readonly kind: 'alloc'; readonly bits: FileTypeBits; readonly pathKind: PathKind }
  | { readonly kind: 'existing'; readonly bits: FileTypeBits; readonly allowFetch: boolean }
  | { readonly kind: 'move'; readonly bits: FileTypeBits; readonly allowRemote: boolean }

/** Files that the task needs where it runs, with the bytes they have in this phase of the sector's life. */
export interface Brought {
  readonly files: ReadonlyMap<SectorFileType, number>
  readonly pathKind: PathKind
}

export interface TaskRequest {
  /** SchedId of `sched-diag`. */
  readonly id: string
  readonly sector: SectorRef
  readonly task: TaskType
  /** Higher is earlier; 0 unless said. */
  readonly priority: number
  readonly selector: Selector
  /** Null: nothing has to be there. */
  readonly brings: Brought | null
  /** Monotonic. */
  readonly queuedAtMs: number
}

export function proofOf(request: Pick<TaskRequest, 'sector'>): SealProof {
  return sealProof(request.sector.ProofType)
}

export function asWork(request: Pick<TaskRequest, 'id' | 'sector' | 'task'>): UsedBy {
  return { request: request.id, counter: counterOf(request.sector.ProofType, request.task) }
}

/** While it prepares, a task counts as a fetch. */
export function asPreparation(request: Pick<TaskRequest, 'id' | 'sector' | 'brings'>): UsedBy {
  const counter = request.brings === null ? null : counterOf(request.sector.ProofType, TASK.GET)
  return { request: request.id, counter }
}

export function workNeeds(request: Pick<TaskRequest, 'sector' | 'task'>, info: WorkerInfo): TaskResources {
  return needsOf(info.Resources.Resources, request.task, request.sector.ProofType)
}

/** A task prepares with its own needs and the fetch's limit of how many at once. */
export function preparationNeeds(
  request: Pick<TaskRequest, 'sector' | 'task' | 'brings'>,
  info: WorkerInfo,
): TaskResources {
  const needs = workNeeds(request, info)
  const fetch = needsOf(info.Resources.Resources, TASK.GET, request.sector.ProofType)
  return { ...needs, MaxConcurrent: request.brings === null ? 0 : fetch.MaxConcurrent }
}
