import { formatBytes } from '../base/bytes.ts'
import { formatDuration } from '../base/duration.ts'
import type { Transfer, WorkerInfo, WorkerJob, WorkerStats } from '../protocol/types.ts'
import { taskCode } from '../sectors/task-types.ts'
import type { Paint } from './paint.ts'
import { formatTable } from './table.ts'

const BAR_COLUMNS = 64

function bar(share: number): string {
  return '|'.repeat(Math.max(0, Math.min(BAR_COLUMNS, Math.floor(share * BAR_COLUMNS)))).padEnd(BAR_COLUMNS)
}

function percent(share: number): string {
  return `${Math.floor(share * 100)}%`
}

function maxConcurrent(info: WorkerInfo, task: string, proof: string): number {
  return info.Resources.Resources?.[task]?.[proof]?.MaxConcurrent ?? 0
}

function taskLine(stats: WorkerStats): string {
  const counts = Object.entries(stats.TaskCounts ?? {}).filter(([, count]) => count > 0)
  if (counts.length === 0) return ''
  const words = counts.map(([key, count]) => {
    const [proof = '', task = ''] = key.split(/:(.*)/s)
    const most = maxConcurrent(stats.Info, task, proof)
    return `${taskCode(task)}(${most > 0 ? `${count}/${most}` : count})`
  })
  return `\tTASK: ${words.join(' ')} \n`
}

function memoryLine(label: string, used: number, total: number): string {
  const share = total > 0 ? used / total : 0
  return `\t${label} [${bar(share)}] ${percent(share)} ${formatBytes(used)}/${formatBytes(total)}\n`
}

function workerBlock(id: string, stats: WorkerStats, paint: Paint): string {
  const { Resources: r, Hostname } = stats.Info
  const disabled = stats.Enabled ? '' : paint('red', ' (disabled)')
  const physical = Math.max(stats.MemUsedMin, r.MemUsed)
  const virtual = Math.max(stats.MemUsedMax, r.MemUsed + r.MemSwapUsed)
  return [
    `Worker ${id}, host ${Hostname}${disabled}\n`,
    taskLine(stats),
    `\tCPU:  [${bar(r.CPUs > 0 ? stats.CpuUse / r.CPUs : 0)}] ${stats.CpuUse}/${r.CPUs} core(s) in use\n`,
    memoryLine('RAM: ', physical, r.MemPhysical),
    memoryLine('VMEM:', virtual, r.MemPhysical + r.MemSwap),
    gpuLines(stats),
  ].join('')
}

function gpuLines(stats: WorkerStats): string {
  const gpus = stats.Info.Resources.GPUs
  if (gpus.length === 0) return ''
  const share = stats.GpuUsed / gpus.length
  const used = stats.GpuUsed > 0 ? 'used' : 'not used'
  const total = `\tGPU:  [${bar(share)}] ${percent(share)} ${stats.GpuUsed.toFixed(2)}/${gpus.length} gpu(s) in use\n`
  return total + gpus.map((gpu) => `\tGPU: ${gpu}, ${used}\n`).join('')
}

/** `sealing workers`: one block a worker, in order of their ids. */
export function formatWorkers(stats: Readonly<Record<string, WorkerStats>>, paint: Paint): string {
  return Object.keys(stats)
    .sort()
    .map((id) => workerBlock(id, stats[id] as WorkerStats, paint))
    .join('')
}

/** The field's words for RunWait. */
export function jobState(runWait: number): string {
  if (runWait >= 2) return `assigned(${runWait - 1})`
  return (
    { 1: 'prepared', 0: 'running', '-1': 'ret-wait', '-2': 'returned', '-3': 'ret-done' }[runWait] ??
    'unknown'
  )
}

const RUNNING = 0
const RET_WAIT = -1
/** Names come with the workers: after a restart of the sealer one that has not come back has none. */
const UNKNOWN_HOST = '(not back yet)'

const shortId = (id: string) => id.replaceAll('-', '').slice(0, 8)

/** What a worker was at when it was heard of last: it may have died of it. */
function stateOf(job: WorkerJob, worker: Pick<WorkerStats, 'Enabled'> | undefined): string {
  const words = jobState(job.RunWait)
  const isOnWorker = job.RunWait === RUNNING || job.RunWait === RET_WAIT
  return isOnWorker && worker?.Enabled !== true ? `${words} (worker away)` : words
}

/**
 * `sealing jobs`, sorted as lotus sorts: assigned last, then by start, then by ID.
 * @param workers the connected ones
 */
export function formatJobs(
  jobs: Readonly<Record<string, readonly WorkerJob[]>>,
  workers: Readonly<Record<string, Pick<WorkerStats, 'Enabled'>>>,
  nowMs: number,
  showReturned: boolean,
): string {
  const rows = Object.entries(jobs)
    .flatMap(([worker, list]) => list.map((job) => ({ worker, job })))
    .filter(({ job }) => showReturned || job.RunWait > -3)
    .sort(
      (a, b) =>
        a.job.RunWait - b.job.RunWait ||
        Date.parse(a.job.Start) - Date.parse(b.job.Start) ||
        a.job.ID.ID.localeCompare(b.job.ID.ID),
    )
    .map(({ worker, job }) => [
      shortId(job.ID.ID),
      String(job.Sector.Number),
      shortId(worker),
      job.Hostname === '' ? UNKNOWN_HOST : job.Hostname,
      taskCode(job.Task),
      stateOf(job, workers[worker]),
      formatDuration(Math.max(0, Math.floor((nowMs - Date.parse(job.Start)) / 100) * 100)),
    ])
  return formatTable(['ID', 'Sector', 'Worker', 'Hostname', 'Task', 'State', 'Time'], rows, 'kept')
}

/** Moves and fetches of a node, with what moved, how and how fast. */
export function formatTransfers(transfers: readonly Transfer[]): string {
  const rows = transfers.map((each) => [
    shortId(each.id),
    String(each.sector.Number),
    each.method,
    each.state,
    `${formatBytes(each.bytes)}/${formatBytes(each.totalBytes)}`,
    each.seconds > 0 ? `${formatBytes(Math.round(each.bytes / each.seconds))}/s` : '',
    `${each.from} -> ${each.to}`,
    each.error ?? '',
  ])
  return formatTable(['ID', 'Sector', 'Method', 'State', 'Bytes', 'Rate', 'From -> To', 'Error'], rows)
}
