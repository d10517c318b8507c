import { createHash } from 'node:crypto'
import type { SectorId } from '../sectors/sector-id.ts'
import { TASK, type TaskType } from '../sectors/task-types.ts'

/** Methods whose calls outlive a restart of the sealer, as lotus tracks them; the others are safe to repeat. */
export const TRACKED_METHODS = {
  SealPreCommit1: TASK.PC1,
  SealPreCommit2: TASK.PC2,
  SealCommit1: TASK.C1,
  SealCommit2: TASK.C2,
} as const satisfies Record<string, TaskType>

export type TrackedMethod = keyof typeof TRACKED_METHODS

/** One piece of work, known by what it is and not by when it was asked for. */
export interface TrackedWork {
  readonly key: string
  readonly sector: SectorId
  readonly method: TrackedMethod
  /** JSON array; a hash in its place when it is long (C1's output has 50 MB and more). */
  readonly params: string
}

/** As lotus: longer keys are hashed. */
const LONGEST_KEY = 256

export function trackedWork(
  method: TrackedMethod,
  sector: SectorId,
  params: readonly unknown[],
): TrackedWork {
  const json = JSON.stringify(params)
  const whole = `${method}(${json})`
  if (Buffer.byteLength(whole) <= LONGEST_KEY) return { key: whole, sector, method, params: json }
  const hash = createHash('sha256').update(whole).digest('hex')
  return { key: hash, sector, method, params: JSON.stringify([`sha256:${hash}`]) }
}

export function taskOfMethod(method: string): TaskType | '' {
  return Object.hasOwn(TRACKED_METHODS, method) ? TRACKED_METHODS[method as TrackedMethod] : ''
}
