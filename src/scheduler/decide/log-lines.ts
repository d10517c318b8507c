import type { TaskRequest } from './request.ts'
import type { Usage } from './usage.ts'

// The field's words, to the letter: operators grep for them.

export function queuedLine(queued: number, windows: number): string {
  return `SCHED ${queued} queued; ${windows} open windows`
}

/** Go's %+v of the open windows as they were before this round filled them. */
export function windowsLine(windows: readonly Usage[]): string {
  return `SCHED windows: [${windows.map(windowText).join(' ')}]`
}

function windowText(usage: Usage): string {
  const { memUsedMin, memUsedMax, gpuUsed, cpuUse } = usage
  const allocated = `memUsedMin:${memUsedMin} memUsedMax:${memUsedMax} gpuUsed:${gpuUsed > 0} cpuUse:${cpuUse} cond:<nil>`
  return `{allocated:{${allocated}} todo:[]}`
}

/** @param acceptable per queued request, its windows in order of preference */
export function acceptableLine(acceptable: readonly (readonly number[])[]): string {
  return `SCHED Acceptable win: [${acceptable.map((windows) => `[${windows.join(' ')}]`).join(' ')}]`
}

export function tryLine(position: number, request: TaskRequest, window: number): string {
  return `SCHED try assign sqi:${position} sector ${request.sector.ID.Number} to window ${window}`
}

export function assignedLine(position: number, request: TaskRequest, window: number): string {
  return `SCHED ASSIGNED sqi:${position} sector ${request.sector.ID.Number} task ${request.task} to window ${window}`
}
