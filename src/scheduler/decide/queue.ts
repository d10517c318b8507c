import { taskOrder } from '../../sectors/task-types.ts'
import type { TaskRequest } from './request.ts'

type Queued = Pick<TaskRequest, 'task' | 'priority' | 'sector'>

/**
 * lotus' order (6.1): what is urgent by its nature (negative) comes first, then priority, then the later phase
 * (a sector that is nearly done frees its scratch space first), then the older sector.
 */
export function queueOrder(a: Queued, b: Queued): number {
  const [orderA, orderB] = [taskOrder(a.task), taskOrder(b.task)]
  if (orderA < 0 !== orderB < 0) return orderA - orderB
  if (a.priority !== b.priority) return b.priority - a.priority
  if (orderA !== orderB) return orderA - orderB
  return a.sector.ID.Number - b.sector.ID.Number
}

/** Requests that wait, in order. */
export class RequestQueue<T extends TaskRequest> {
  #requests: T[] = []

  /** Equals stay in order of arrival. */
  push(request: T): void {
    // By halves: ten thousand that come together would otherwise be sorted ten thousand times.
    let [from, to] = [0, this.#requests.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if (queueOrder(this.#requests[middle] as T, request) <= 0) from = middle + 1
      else to = middle
    }
    this.#requests.splice(from, 0, request)
  }

  /** @returns whether it was there */
  remove(id: string): T | null {
    const at = this.#requests.findIndex((request) => request.id === id)
    if (at < 0) return null
    const [found] = this.#requests.splice(at, 1)
    return found ?? null
  }

  list(): readonly T[] {
    return this.#requests
  }
}
