import { formatBytes } from '../base/bytes.ts'
import type { SealerApi } from '../protocol/apis.ts'

/** `sealyard-sealer info`: the miner, its sectors by state, its workers. */
export async function formatSealerInfo(sealer: SealerApi): Promise<string> {
  const [version, actor, node, summary, workers, reservations] = await Promise.all([
    sealer.Version(),
    sealer.ActorAddress(),
    sealer.NodeInfo(),
    sealer.SectorsSummary(),
    sealer.WorkerStats(),
    sealer.SpaceReservations(),
  ])
  const size = await sealer.ActorSectorSize(actor)
  const reserved = reservations.reduce((sum, each) => sum + each.reportedBytes, 0)
  const total = Object.values(summary).reduce((sum, count) => sum + count, 0)
  const enabled = Object.values(workers).filter((worker) => worker.Enabled).length
  const states = Object.entries(summary).map(([state, count]) => `\t${state}: ${count}`)
  return `${[
    `Sealer version: ${version.Version}`,
    `Miner: ${actor} (${formatBytes(size)} sectors)`,
    `Session: ${node.session}`,
    `URL: ${node.url}`,
    `Workers: ${enabled} enabled of ${Object.keys(workers).length}`,
    `Reserved: ${formatBytes(reserved)} in ${reservations.length} reservations`,
    'Sectors:',
    `\tTotal: ${total}`,
    ...states,
  ].join('\n')}\n`
}
