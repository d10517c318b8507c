import { asWork, type TaskRequest, workNeeds } from './request.ts'
import type { Snapshot, WorkerView } from './snapshot.ts'
import { Usage } from './usage.ts'

interface FillingWindow {
  readonly worker: WorkerView
  readonly allocated: Usage
  readonly todo: TaskRequest[]
}

/** The open windows while one round fills them. */
export class Round {
  readonly windows: readonly FillingWindow[]

  constructor(snapshot: Snapshot) {
    this.windows = snapshot.openWindows.flatMap((id) => {
      const worker = snapshot.workers.get(id)
      return worker === undefined ? [] : [{ worker, allocated: new Usage(), todo: [] }]
    })
  }

  windowsOf(worker: WorkerView): number[] {
    return this.windows.flatMap((window, number) => (window.worker.id === worker.id ? [number] : []))
  }

  /** What this round has given a worker, in order. */
  given(worker: WorkerView): TaskRequest[] {
    return this.windows.flatMap((window) => (window.worker.id === worker.id ? window.todo : []))
  }

  fits(window: number, request: TaskRequest): boolean {
    const target = this.windows[window]
    if (target === undefined) return false
    const { info } = target.worker
    return target.allocated.fits(asWork(request), workNeeds(request, info), info)
  }

  /** Whether any window has room, whoever may use it. */
  hasRoom(request: TaskRequest): boolean {
    return this.windows.some((_, window) => this.fits(window, request))
  }

  put(window: number, request: TaskRequest): void {
    const target = this.windows[window]
    if (target === undefined) return
    const { info } = target.worker
    target.allocated.add(asWork(request), workNeeds(request, info), info)
    target.todo.push(request)
  }

  /** lotus' measure: what runs, what is prepared, and every window of the worker. */
  utilization(worker: WorkerView): number {
    const filling = this.windows.filter((window) => window.worker.id === worker.id)
    const accounts = [
      worker.active,
      worker.preparing,
      ...worker.windows,
      ...filling.map((each) => each.allocated),
    ]
    return accounts.reduce((sum, account) => sum + account.utilization(worker.info), 0)
  }
}
