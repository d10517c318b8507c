import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { WorkerInfo } from '../protocol/types.ts'
import { memoryLimits } from './cgroup-limits.ts'
import { type KernelFiles, kernelFiles, type MemoryUse } from './kernel-files.ts'

/** The host as `Info` tells it, without the table of what tasks need. */
export type HostResources = Omit<WorkerInfo['Resources'], 'Resources'>

/**
 * Memory, swap, processors and graphics cards that tasks of this process may use. A control group's limit counts
 * where it is below the machine's.
 * @param noSwap swap is told as 0
 */
export async function hostResources(noSwap: boolean, files = kernelFiles): Promise<HostResources> {
  const [machine, group, gpus] = await Promise.all([
    machineMemory(files),
    memoryLimits(files),
    graphicsCards(files),
  ])
  const memory = smaller(machine.memory, group.memory)
  const swap = smaller(machine.swap, group.swap)
  return {
    MemPhysical: memory.totalBytes,
    MemUsed: memory.usedBytes,
    MemSwap: noSwap ? 0 : swap.totalBytes,
    MemSwapUsed: noSwap ? 0 : swap.usedBytes,
    CPUs: availableParallelism(),
    GPUs: gpus,
  }
}

function smaller(machine: MemoryUse, group: MemoryUse | null): MemoryUse {
  return group === null || group.totalBytes >= machine.totalBytes ? machine : group
}

async function machineMemory(files: KernelFiles): Promise<{ memory: MemoryUse; swap: MemoryUse }> {
  const text = (await files.read('/proc/meminfo')) ?? ''
  const bytes = (name: string) =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
  const total = bytes('MemTotal')
  const swapTotal = bytes('SwapTotal')
  return {
    // Available, not Free: the page cache is given up when a task wants memory.
    memory: { totalBytes: total, usedBytes: total - bytes('MemAvailable') },
    swap: { totalBytes: swapTotal, usedBytes: swapTotal - bytes('SwapFree') },
  }
}

/** Model names as the driver gives them, one per card. */
async function graphicsCards(files: KernelFiles): Promise<string[]> {
  const directory = '/proc/driver/nvidia/gpus'
  const cards = (await files.list(directory)).sort()
  const texts = await Promise.all(cards.map((card) => files.read(join(directory, card, 'information'))))
  return texts.flatMap((text) => /^Model:\s*(.+?)\s*$/m.exec(text ?? '')?.[1] ?? [])
}
