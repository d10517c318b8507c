import { createHash } from 'node:crypto'
import type { SectorId } from '../sectors/sector-id.ts'
import { TASK, type TaskType } from '../sectors/task-types.ts'

/**
 * Methods whose calls outlive a restart of the sealer: those that lotus tracks, and AP. An AP that is asked for anew
 * while its first call still runs may go to another worker, and the sector would have two unsealed copies.
 */
export const TRACKED_METHODS = {
  AddPiece: TASK.AP,
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

/**
 * The UUID under which a piece's bytes are pushed for this work: the same each time, so that a call that is sent again
 * joins the one that waits for them, and so that a sealer that was restarted can push them again.
 */
export function pushId({ key }: Pick<TrackedWork, 'key'>): string {
  const hex = createHash('sha256').update(`push ${key}`).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  )
}

export function taskOfMethod(method: string): TaskType | '' {
  return Object.hasOwn(TRACKED_METHODS, method) ? TRACKED_METHODS[method as TrackedMethod] : ''
}
