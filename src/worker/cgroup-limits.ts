import { dirname, join } from 'node:path'
import type { KernelFiles, MemoryUse } from './kernel-files.ts'

/** null where no control group sets a limit. */
export interface MemoryLimits {
  readonly memory: MemoryUse | null
  readonly swap: MemoryUse | null
}

const NONE: MemoryLimits = { memory: null, swap: null }
const V1_ROOT = '/sys/fs/cgroup/memory'
const V2_ROOT = '/sys/fs/cgroup'

/** The tightest limits of this process's control group and of the groups around it. */
export async function memoryLimits(files: KernelFiles): Promise<MemoryLimits> {
  const groups = (await files.read('/proc/self/cgroup')) ?? ''
  // On a hybrid system memory belongs to v1 and the v2 line is there without it.
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1]
  if (v1 !== undefined) return tightest(files, v1, v1Limits)
  const v2 = /^0::(.*)$/m.exec(groups)?.[1]
  return v2 === undefined ? NONE : tightest(files, v2, v2Limits)
}

type LimitsOf = (files: KernelFiles, group: string) => Promise<MemoryLimits>

async function tightest(files: KernelFiles, group: string, limitsOf: LimitsOf): Promise<MemoryLimits> {
  let found = NONE
  for (const each of upwards(group)) {
    const limits = await limitsOf(files, each)
    found = { memory: lower(found.memory, limits.memory), swap: lower(found.swap, limits.swap) }
  }
  return found
}

/** `/a/b` → `/a/b`, `/a`, `/`. Inside a container the outer names do not exist; the root does. */
function upwards(group: string): string[] {
  const groups = [group]
  for (let at = group; at !== '/' && at !== '.'; ) {
    at = dirname(at)
    groups.push(at)
  }
  return groups
}

async function v2Limits(files: KernelFiles, group: string): Promise<MemoryLimits> {
  const value = (name: string) => files.read(join(V2_ROOT, group, name))
  const [max, current, stat, swapMax, swapCurrent] = await Promise.all([
    value('memory.max'),
    value('memory.current'),
    value('memory.stat'),
    value('memory.swap.max'),
    value('memory.swap.current'),
  ])
  return {
    memory: useOf(max, number(current) - statistic(stat, 'inactive_file')),
    swap: useOf(swapMax, number(swapCurrent)),
  }
}

async function v1Limits(files: KernelFiles, group: string): Promise<MemoryLimits> {
  const value = (name: string) => files.read(join(V1_ROOT, group, name))
  const [limit, usage, stat, bothLimit, bothUsage] = await Promise.all([
    value('memory.limit_in_bytes'),
    value('memory.usage_in_bytes'),
    value('memory.stat'),
    value('memory.memsw.limit_in_bytes'),
    value('memory.memsw.usage_in_bytes'),
  ])
  const memory = useOf(limit, number(usage) - statistic(stat, 'total_inactive_file'))
  // v1 limits memory and swap together.
  const both = useOf(bothLimit, number(bothUsage))
  if (memory === null || both === null) return { memory, swap: null }
  const totalBytes = Math.max(0, both.totalBytes - memory.totalBytes)
  return { memory, swap: { totalBytes, usedBytes: Math.max(0, both.usedBytes - number(usage)) } }
}

/** `max`, and v1's 2^63 less a page, mean no limit. */
function useOf(limit: string | null, usedBytes: number): MemoryUse | null {
  const totalBytes = limit === null ? Number.NaN : Number(limit.trim())
  return Number.isSafeInteger(totalBytes) ? { totalBytes, usedBytes: Math.max(0, usedBytes) } : null
}

function number(text: string | null): number {
  return Number(text?.trim() ?? 0) || 0
}

function statistic(stat: string | null, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat ?? '')?.[1] ?? 0)
}

function lower(a: MemoryUse | null, b: MemoryUse | null): MemoryUse | null {
  if (a === null || b === null) return a ?? b
  return a.totalBytes <= b.totalBytes ? a : b
}
