import { formatBytes } from '../base/bytes.ts'
import type { WorkerApi } from '../protocol/apis.ts'
import { TASK, TASK_CODES, taskOrder } from '../sectors/task-types.ts'

function apiVersion(version: number): string {
  return `${version >> 16}.${(version >> 8) & 255}.${version & 255}`
}

/** `sealyard-worker info` in lotus' layout; then what Sealyard adds. */
export async function formatWorkerInfo(worker: WorkerApi, cliVersion: string): Promise<string> {
  const [version, session, enabled, info, tasks, paths, node] = await Promise.all([
    worker.Version(),
    worker.ProcessSession(),
    worker.Enabled(),
    worker.Info(),
    worker.TaskTypes(),
    worker.Paths(),
    worker.NodeInfo(),
  ])
  const { Resources: r } = info
  const codes = TASK_CODES.filter((code) => TASK[code] in tasks).sort(
    (a, b) => taskOrder(TASK[a]) - taskOrder(TASK[b]),
  )
  const lines = [
    `Worker version:  ${apiVersion(version)}`,
    `CLI version: sealyard-worker version ${cliVersion}`,
    '',
    `Session: ${session}`,
    `Enabled: ${enabled}`,
    `Hostname: ${info.Hostname}`,
    `CPUs: ${r.CPUs}; GPUs: [${r.GPUs.join(' ')}]`,
    `RAM: ${formatBytes(r.MemUsed)}/${formatBytes(r.MemPhysical)}; Swap: ${formatBytes(r.MemSwapUsed)}/${formatBytes(r.MemSwap)}`,
    `Task types: ${codes.map((code) => `${code} `).join('')}`,
    `Executor: ${node.executor}`,
    '',
    ...paths.map((path) => {
      const uses = [path.CanSeal ? 'Seal ' : '', path.CanStore ? 'Store' : ''].join('')
      return `${path.ID}:\n\tWeight: ${path.Weight}; Use: ${uses}\n\tLocal: ${path.LocalPath}`
    }),
  ]
  return `${lines.join('\n')}\n`
}
