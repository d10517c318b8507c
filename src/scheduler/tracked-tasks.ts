import type { z } from 'zod'
import type { SectorIndex } from '../sector-index/sector-index.ts'
import { type FileTypeBits, fileTypeBits } from '../sectors/file-types.ts'
import type { SectorRef } from '../sectors/sector-id.ts'
import { taskCode } from '../sectors/task-types.ts'
import type { Calls } from './calls.ts'
import type { ConnectedWorker } from './connected-worker.ts'
import type { Brought, Selector, TaskRequest } from './decide/request.ts'
import { demandHeld } from './held-files.ts'
import type { SchedulingLoop } from './loop.ts'
import { TRACKED_METHODS, type TrackedMethod, type TrackedWork, trackedWork } from './work-key.ts'
import { call, checkedResult, fetchTo, type Supply, type WorkerCall, withSupply } from './worker-calls.ts'

export interface TrackedTasksOptions {
  readonly index: SectorIndex
  readonly loop: SchedulingLoop
  readonly calls: Calls
}

/** A task whose call outlives a restart of the sealer. */
export interface TrackedTask<T> {
  readonly method: TrackedMethod
  readonly sector: SectorRef
  /** All parameters after the sector: with it they say which work this is. */
  readonly params: readonly unknown[]
  readonly result: z.ZodType<T>
  readonly selector: Selector
  readonly brings: Brought | null
  /** After the files have come, before the task begins. */
  readonly before?: (worker: ConnectedWorker) => Promise<void>
  readonly invoke: WorkerCall<T>['invoke']
  /** Bytes that the worker asks for while it runs. */
  readonly supply?: Supply
}

/** AP, PC1, PC2, C1 and C2: work that is known is only waited for, other work gets a place first. */
export class TrackedTasks {
  readonly #options: TrackedTasksOptions

  constructor(options: TrackedTasksOptions) {
    this.#options = options
  }

  /** A caller that has given up asks again when it goes on: until then the result is kept for it. */
  async run<T>(tracked: TrackedTask<T>, signal: AbortSignal | undefined): Promise<T> {
    const { calls } = this.#options
    const work = trackedWork(tracked.method, tracked.sector.ID, [tracked.sector, ...tracked.params])
    try {
      return await (calls.isKnown(work) ? this.#join(tracked, work) : this.#begin(tracked, work, signal))
    } finally {
      if (signal?.aborted !== true) calls.taken(work)
    }
  }

  /** Waits for work that is known. */
  async #join<T>(tracked: TrackedTask<T>, work: TrackedWork): Promise<T> {
    const { method, result, sector, supply } = tracked
    const task = TRACKED_METHODS[method]
    const value = await this.#attached({ id: work.key, sector, task }, work, supply)
    return checkedResult({ sector, task, result }, value)
  }

  #begin<T>(tracked: TrackedTask<T>, work: TrackedWork, signal: AbortSignal | undefined): Promise<T> {
    const { calls, index, loop } = this.#options
    const { before, brings, method, result, sector, selector, invoke } = tracked
    const task = TRACKED_METHODS[method]
    const wanted: WorkerCall<T> = { sector, task, work, result, invoke }
    demandHeld(index, sector.ID, filesRead(tracked), taskCode(task))
    const prepare =
      brings === null ? null : (to: ConnectedWorker) => fetchTo(calls, to, sector, brings, 'move')
    const begin = async (worker: ConnectedWorker) => {
      await before?.(worker)
      const run = () => call(calls, worker, wanted)
      return tracked.supply === undefined ? run() : withSupply(worker, sector, tracked.supply, run)
    }
    const perhapsOn = calls.perhapsOn(work)
    return loop.schedule(
      { sector, task, priority: 0, selector, brings, prepare, work: begin, perhapsOn },
      signal,
    )
  }

  #attached(
    request: Pick<TaskRequest, 'id' | 'sector' | 'task'>,
    work: TrackedWork,
    supply: Supply | undefined,
  ): Promise<unknown> {
    const { calls, loop } = this.#options
    const session = calls.workerOf(work)
    const result = calls.attach(work)
    if (session === null) return result
    return loop.follow(request, session, result, (worker) => supplyAgain(worker, supply))
  }
}

/**
 * The sealer that was to send the bytes is gone, and the worker may still wait for them. One that has them takes no
 * second push; when they do not arrive its call says so.
 */
function supplyAgain(worker: ConnectedWorker, supply: Supply | undefined): void {
  if (supply === undefined) return
  void worker.connection.pushFile(supply.uuid, supply.file, supply.dataBytes).catch(() => undefined)
}

function filesRead({ selector, brings }: Pick<TrackedTask<unknown>, 'selector' | 'brings'>): FileTypeBits {
  const brought = fileTypeBits(...(brings?.files.keys() ?? []))
  return selector.kind === 'existing' ? selector.bits | brought : brought
}
