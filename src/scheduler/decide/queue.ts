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
    this.#requests.push(request)
    this.#requests.sort(queueOrder)
  }

  /** @returns whether it was there */
  remove(id: string): T | null {
    const found = this.#requests.find((request) => request.id === id) ?? null
    if (found !== null) this.#requests = this.#requests.filter((request) => request !== found)
    return found
  }

  list(): readonly T[] {
    return this.#requests
  }
}
