import type { TaskResources, WorkerInfo } from '../../protocol/types.ts'

type Machine = Pick<WorkerInfo, 'IgnoreResources' | 'Resources'>

/** Who uses resources, and as what it counts towards MaxConcurrent: `8:seal/v0/precommit/1`, null for nothing. */
export interface UsedBy {
  readonly request: string
  readonly counter: string | null
}

/** Task with proof → requests. One worker's accounts share it, so that a task in two of them counts once. */
export class TaskCounts {
  readonly #requests = new Map<string, Set<string>>()

  add({ request, counter }: UsedBy): void {
    if (counter === null) return
    const known = this.#requests.get(counter) ?? new Set<string>()
    known.add(request)
    this.#requests.set(counter, known)
  }

  remove({ request, counter }: UsedBy): void {
    if (counter !== null) this.#requests.get(counter)?.delete(request)
  }

  /** Requests under a counter, this one aside. */
  others({ request, counter }: UsedBy): number {
    const known = counter === null ? undefined : this.#requests.get(counter)
    return known === undefined ? 0 : known.size - (known.has(request) ? 1 : 0)
  }

  clone(): TaskCounts {
    const copy = new TaskCounts()
    for (const [counter, requests] of this.#requests) copy.#requests.set(counter, new Set(requests))
    return copy
  }

  /** What WorkerStats answers; counters at zero are left out. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(
      [...this.#requests]
        .filter(([, requests]) => requests.size > 0)
        .map(([counter, { size }]) => [counter, size]),
    )
  }
}

export function counterOf(proofType: number, task: string): string {
  return `${proofType}:${task}`
}

/** One account of a worker's resources: what runs, what is prepared, or what a window holds (lotus-compat 6.4). */
export class Usage {
  memUsedMin = 0
  memUsedMax = 0
  gpuUsed = 0
  cpuUse = 0
  readonly counts: TaskCounts

  constructor(counts: TaskCounts = new TaskCounts()) {
    this.counts = counts
  }

  add(by: UsedBy, needs: TaskResources, machine: Machine): void {
    this.#change(needs, machine, 1)
    this.counts.add(by)
  }

  free(by: UsedBy, needs: TaskResources, machine: Machine): void {
    this.#change(needs, machine, -1)
    this.counts.remove(by)
  }

  /** @returns null when the task fits beside what is there, else the reason, as an operator reads it */
  refusal(by: UsedBy, needs: TaskResources, machine: Machine): string | null {
    if (needs.MaxConcurrent > 0 && this.counts.others(by) >= needs.MaxConcurrent) {
      return `already ${this.counts.others(by)} of at most ${needs.MaxConcurrent} at once`
    }
    return machine.IgnoreResources ? null : this.#lacking(needs, machine.Resources)
  }

  fits(by: UsedBy, needs: TaskResources, machine: Machine): boolean {
    return this.refusal(by, needs, machine) === null
  }

  /** The busiest of its shares, 0 for idle; above 1 where resources are ignored. */
  utilization({ Resources: has }: Machine): number {
    const virtual = has.MemPhysical + has.MemSwap
    return Math.max(
      share(this.cpuUse, has.CPUs),
      share(Math.max(this.memUsedMin, has.MemUsed), has.MemPhysical),
      share(Math.max(this.memUsedMax, has.MemUsed + has.MemSwapUsed), virtual),
      share(this.gpuUsed, has.GPUs.length),
    )
  }

  clone(): Usage {
    const copy = new Usage(this.counts.clone())
    copy.memUsedMin = this.memUsedMin
    copy.memUsedMax = this.memUsedMax
    copy.gpuUsed = this.gpuUsed
    copy.cpuUse = this.cpuUse
    return copy
  }

  /** What is there is counted without its base memory, what is asked for with it, as in lotus. */
  #lacking(needs: TaskResources, has: Machine['Resources']): string | null {
    const memory = needs.MinMemory + needs.BaseMinMemory
    if (memory > has.MemPhysical - this.memUsedMin) return 'not enough memory'
    const virtual = needs.MaxMemory + needs.BaseMinMemory
    const virtualUsed = Math.max(this.memUsedMax, has.MemUsed + has.MemSwapUsed)
    if (virtual > has.MemPhysical + has.MemSwap - virtualUsed) return 'not enough memory and swap'
    if (this.cpuUse + threadsFor(needs, has) > has.CPUs) return 'not enough cores'
    const wantsGpu = needs.GPUUtilization > 0 && has.GPUs.length > 0
    return wantsGpu && this.gpuUsed + needs.GPUUtilization > has.GPUs.length ? 'no free GPU' : null
  }

  #change(needs: TaskResources, machine: Machine, sign: 1 | -1): void {
    this.memUsedMin += sign * needs.MinMemory
    this.memUsedMax += sign * needs.MaxMemory
    this.gpuUsed += sign * needs.GPUUtilization
    this.cpuUse += sign * threadsFor(needs, machine.Resources)
  }
}

/** Share of the cores that −1 stands for. */
const ALL_CORES_PERCENT = 92

function threadsFor(needs: TaskResources, has: Machine['Resources']): number {
  const onGpu = needs.GPUUtilization > 0 && has.GPUs.length > 0 && needs.MaxParallelismGPU !== 0
  const threads = onGpu ? needs.MaxParallelismGPU : needs.MaxParallelism
  if (threads !== -1) return threads
  return Math.floor((has.CPUs * ALL_CORES_PERCENT) / 100) || has.CPUs
}

function share(used: number, total: number): number {
  return total > 0 ? used / total : 0
}
