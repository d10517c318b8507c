import { formatBytes } from '../base/bytes.ts'
import type { WorkerApi } from '../protocol/apis.ts'
import { apiVersionWords } from '../protocol/types.ts'
import { TASK, TASK_CODES, taskOrder } from '../sectors/task-types.ts'

/** `sealyard-worker info` in lotus' layout; then what Sealyard adds. */
export async function formatWorkerInfo(worker: WorkerApi, cliVersion: string): Promise<string> {
  const [version, session, enabled, info, tasks, paths, node, copying] = await Promise.all([
    worker.Version(),
    worker.ProcessSession(),
    worker.Enabled(),
    worker.Info(),
    worker.TaskTypes(),
    worker.Paths(),
    worker.NodeInfo(),
    worker.CopyEngines(),
  ])
  const { Resources: r } = info
  const codes = TASK_CODES.filter((code) => TASK[code] in tasks).sort(
    (a, b) => taskOrder(TASK[a]) - taskOrder(TASK[b]),
  )
  const lines = [
    `Worker version:  ${apiVersionWords(version)}`,
    `CLI version: sealyard-worker version ${cliVersion}`,
    '',
    `Session: ${session}`,
    `Enabled: ${enabled}`,
    `Hostname: ${info.Hostname}`,
    `CPUs: ${r.CPUs}; GPUs: [${r.GPUs.join(' ')}]`,
    `RAM: ${formatBytes(r.MemUsed)}/${formatBytes(r.MemPhysical)}; Swap: ${formatBytes(r.MemSwapUsed)}/${formatBytes(r.MemSwap)}`,
    `Task types: ${codes.map((code) => `${code} `).join('')}`,
    `Executor: ${node.executor}`,
    `Copies: ${copying.chosen === 'auto' ? 'auto: direct from the disk, uncached from memory, else buffered' : copying.chosen}`,
    '',
    ...paths.map((path) => {
      const uses = [path.CanSeal ? 'Seal ' : '', path.CanStore ? 'Store' : ''].join('')
      const engines = copying.paths.find(({ id }) => id === path.ID)?.engines ?? []
      const copies = engines.length > 0 ? engines.join(' ') : 'could not be tried'
      return `${path.ID}:\n\tWeight: ${path.Weight}; Use: ${uses}\n\tLocal: ${path.LocalPath}\n\tCopies: ${copies}`
    }),
  ]
  return `${lines.join('\n')}\n`
}
