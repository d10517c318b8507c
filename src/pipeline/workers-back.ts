import { refOf, type SectorRecord } from './sector-record.ts'
import type { StepTools } from './step.ts'

/** Two heartbeats: a worker asks every 10 s whether the sealer still knows it, and registers again when not. */
export const WORKERS_BACK_MS = 20_000

/**
 * Until when a sector of an earlier run of the sealer waits for somebody who can run its C2, in milliseconds since
 * 1970; null when that time is over. A sector that was made in this run has nobody to wait for.
 */
export function workersAwaitedUntil(
  record: SectorRecord,
  { clock, opened }: Pick<StepTools, 'clock' | 'opened'>,
): number | null {
  const isOver = record.createdAt >= opened.at || clock.monotonicMs() >= opened.workersBackByMs
  return isOver ? null : opened.at + opened.workersBackMs
}

/** The same of a sector that waits for nothing else now; null of all others. */
export async function waitsForWorkersUntil(
  record: SectorRecord,
  tools: Pick<StepTools, 'clock' | 'opened' | 'tasks'>,
): Promise<number | null> {
  if (record.state !== 'Committing' || record.commit1File === null || record.paused !== null) return null
  const until = workersAwaitedUntil(record, tools)
  return until === null || (await tools.tasks.canCommit2(refOf(record))) ? null : until
}

export function waitingForWorkers(until: number): string {
  return `waiting until ${new Date(until).toISOString()} for workers to reconnect before C2 is deferred`
}
