import type { TaskResources } from '../protocol/types.ts'
import { SEAL_PROOFS, type SealProof } from '../sectors/proof-types.ts'
import { TASK, type TaskCode, type TaskType } from '../sectors/task-types.ts'
import { SchedulerError } from './errors.ts'
import { defaultResources, TASKS_WITH_RESOURCES } from './resource-defaults.ts'

/** Task type → proof type (as the wire writes it, a string) → needs. */
export type ResourceTable = Record<string, Record<string, TaskResources>>

type Environment = Readonly<Record<string, string | undefined>>

/** Fields in the order that lotus lists them, with the end of their variable's name. */
const FIELDS = [
  ['MinMemory', 'MIN_MEMORY'],
  ['MaxMemory', 'MAX_MEMORY'],
  ['GPUUtilization', 'GPU_UTILIZATION'],
  ['MaxParallelism', 'MAX_PARALLELISM'],
  ['MaxParallelismGPU', 'MAX_PARALLELISM_GPU'],
  ['BaseMinMemory', 'BASE_MIN_MEMORY'],
  ['MaxConcurrent', 'MAX_CONCURRENT'],
] as const

const SIZES: readonly SealProof['shortSize'][] = ['2K', '8M', '512M', '32G', '64G']

/** Needs of a task that no table lists: it always fits. */
export const NO_NEEDS: TaskResources = Object.freeze({
  MinMemory: 0,
  MaxMemory: 0,
  GPUUtilization: 0,
  MaxParallelism: 0,
  MaxParallelismGPU: 0,
  BaseMinMemory: 0,
  MaxConcurrent: 0,
})

/**
 * What each task needs for each proof type: lotus' table with the operator's overrides,
 * `<CODE>_<SIZE>_<FIELD>` or `<CODE>_<FIELD>` (the sized one wins), e.g. `GET_32G_MAX_CONCURRENT=2`.
 * NI-PoRep proof types have no entries, as in the field: they always fit.
 * @param env the environment, or what stands for it
 * @throws SchedulerError BAD_RESOURCE for a value that is no number (lotus takes it as 0)
 */
export function resourceTable(env: Environment): ResourceTable {
  const table: ResourceTable = {}
  for (const code of TASKS_WITH_RESOURCES) {
    const bySize = new Map(SIZES.map((size) => [size, resourcesOf(code, size, env)]))
    const proofs = SEAL_PROOFS.filter((proof) => proof.variant !== 'non-interactive')
    table[TASK[code]] = Object.fromEntries(
      proofs.map((proof) => [String(proof.proofType), { ...NO_NEEDS, ...bySize.get(proof.shortSize) }]),
    )
  }
  return table
}

/** What one task of one proof type needs, by a table; nothing when the table does not list it. */
export function needsOf(table: ResourceTable | null, task: TaskType, proofType: number): TaskResources {
  return table?.[task]?.[String(proofType)] ?? NO_NEEDS
}

function resourcesOf(code: TaskCode, size: SealProof['shortSize'], env: Environment): TaskResources {
  const resources = defaultResources(code, size)
  const producers = multicoreProducers(env)
  if (producers !== null && (code === 'PC1' || code === 'UNS')) resources.MaxParallelism = producers + 1
  for (const [field, suffix] of FIELDS) {
    const value = override(env, [`${code}_${size}_${suffix}`, `${code}_${suffix}`], field)
    if (value !== null) resources[field] = value
  }
  return resources
}

/** With multicore SDR one PC1 keeps several cores busy: its producers and itself. */
function multicoreProducers(env: Environment): number | null {
  if (env.FIL_PROOFS_USE_MULTICORE_SDR !== '1') return null
  return override(env, ['FIL_PROOFS_MULTICORE_SDR_PRODUCERS'], 'MaxParallelism') ?? 3
}

function override(
  env: Environment,
  names: readonly string[],
  field: (typeof FIELDS)[number][0],
): number | null {
  const name = names.find((each) => (env[each] ?? '') !== '')
  if (name === undefined) return null
  const value = Number(env[name])
  const whole = field !== 'GPUUtilization'
  const least = field === 'MaxParallelism' ? -1 : 0
  if (Number.isFinite(value) && value >= least && (!whole || Number.isSafeInteger(value))) return value
  throw new SchedulerError({
    code: 'BAD_RESOURCE',
    level: 'permanent',
    message: `${name}=${env[name]} is not a number that fits; write plain ${whole ? 'whole numbers' : 'numbers'}, bytes without a suffix`,
  })
}

/**
 * A table in the form that its overrides are written in: `PC1_32G_MIN_MEMORY` → value. Proof types of one size have
 * one line; what is not listed has no needs.
 */
export function asOverrides(table: ResourceTable): Map<string, number> {
  const lines = new Map<string, number>()
  for (const code of TASKS_WITH_RESOURCES) {
    for (const { proofType, shortSize } of SEAL_PROOFS) {
      const needs = table[TASK[code]]?.[String(proofType)]
      if (needs === undefined) continue
      for (const [field, suffix] of FIELDS) lines.set(`${code}_${shortSize}_${suffix}`, needs[field])
    }
  }
  return lines
}
