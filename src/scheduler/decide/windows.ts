import type { WorkerInfo } from '../../protocol/types.ts'
import { asWork, type TaskRequest, workNeeds } from './request.ts'
import { Usage } from './usage.ts'

/** Tasks that a worker was given and has not begun; it takes them when it has room. */
export interface ActiveWindow<T extends TaskRequest> {
  todo: T[]
  readonly allocated: Usage
}

export function openedWindow<T extends TaskRequest>(todo: readonly T[], info: WorkerInfo): ActiveWindow<T> {
  const window: ActiveWindow<T> = { todo: [], allocated: new Usage() }
  for (const task of todo) put(window, task, info)
  return window
}

/**
 * Moves tasks of later windows to the one before while they fit there, and gives back windows that end up empty.
 * A window keeps what its begun tasks had allocated, so that it does not become a queue without end.
 * @returns the windows that are left
 */
export function compactWindows<T extends TaskRequest>(
  windows: readonly ActiveWindow<T>[],
  info: WorkerInfo,
): ActiveWindow<T>[] {
  windows.forEach((lower, index) => {
    const upper = windows[index + 1]
    if (upper !== undefined) moveDown(upper, lower, info)
  })
  return windows.filter((window) => window.todo.length > 0)
}

function moveDown<T extends TaskRequest>(from: ActiveWindow<T>, to: ActiveWindow<T>, info: WorkerInfo): void {
  const staying: T[] = []
  for (const task of from.todo) {
    const needs = workNeeds(task, info)
    if (!to.allocated.fits(asWork(task), needs, info)) {
      staying.push(task)
      continue
    }
    put(to, task, info)
    from.allocated.free(asWork(task), needs, info)
  }
  from.todo = staying
}

function put<T extends TaskRequest>(window: ActiveWindow<T>, task: T, info: WorkerInfo): void {
  window.todo.push(task)
  window.allocated.add(asWork(task), workNeeds(task, info), info)
}
