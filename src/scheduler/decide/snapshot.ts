import type { Tier, WorkerInfo } from '../../protocol/types.ts'
import type { IndexView } from '../../sector-index/path-view.ts'
import type { TaskRequest } from './request.ts'
import type { Usage } from './usage.ts'

/** A task that runs on a worker now. */
export interface RunningTask {
  readonly request: TaskRequest
  readonly elapsedMs: number
}

/** A connected worker at one moment. */
export interface WorkerView {
  /** Session. */
  readonly id: string
  readonly hostname: string
  /** NodeInfo.machine; null: a stranger, which is on no machine that we know. */
  readonly machine: string | null
  readonly enabled: boolean
  readonly info: WorkerInfo
  readonly tasks: ReadonlySet<string>
  /** IDs of its storage paths. */
  readonly paths: ReadonlySet<string>
  /** Between two paths of this worker; null when it has not said. */
  tier(from: string, to: string): Tier | null
  readonly active: Usage
  readonly preparing: Usage
  readonly windows: readonly Usage[]
  readonly running: readonly RunningTask[]
  /** Given to it and not begun, in order. */
  readonly waiting: readonly TaskRequest[]
  /** Task type → how many it was given since it connected. */
  readonly given: ReadonlyMap<string, number>
  /** Request → why this worker is not asked for it now, whatever else speaks for it. */
  readonly refusals: ReadonlyMap<string, string>
}

/** What earlier work has taught about time. */
export interface Experience {
  /** Of a task of one proof type; null when none has ended yet. */
  taskMs(task: string, proofType: number): number | null
  /** For bytes by a tier; measured, or a guess until something was. */
  bytesPerSecond(tier: 'copy' | 'network'): number
}

/** All that a decision rests on. */
export interface Snapshot {
  readonly nowMs: number
  readonly monotonicMs: number
  /** In the queue's order. */
  readonly queue: readonly TaskRequest[]
  /** Session of the worker that offers each open window; the position is its number. */
  readonly openWindows: readonly string[]
  readonly workers: ReadonlyMap<string, WorkerView>
  readonly index: IndexView
  readonly experience: Experience
}

/** What a task costs on one worker. */
export interface Costs {
  readonly networkBytes: number
  /** Bytes copied within one machine. */
  readonly copiedBytes: number
  readonly secondsUntilFree: number
}

export interface Verdict {
  readonly accepted: boolean
  /** For operators: why not, or why it may. */
  readonly reason: string
}

/** One window, looked at for one request. */
export interface Candidate {
  /** Number of the open window. */
  readonly window: number
  readonly worker: WorkerView
  readonly costs: Costs
  /** Files that another process has to serve. */
  readonly fetchedFiles: number
  /** Of the worker with what this round has given it already. */
  readonly utilization: number
  /** Tasks of this type given to the worker, this round's too. */
  readonly given: number
}
