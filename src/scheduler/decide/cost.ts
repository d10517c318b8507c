import type { Tier } from '../../protocol/types.ts'
import type { PathView } from '../../sector-index/path-view.ts'
import { FILE_TYPE_BIT, fileTypeBits, type SectorFileType } from '../../sectors/file-types.ts'
import { holdersOf, holds, placeOn } from './placement.ts'
import type { TaskRequest } from './request.ts'
import type { Costs, Snapshot, WorkerView } from './snapshot.ts'

export interface BytesToMove extends Omit<Costs, 'secondsUntilFree'> {
  /** Files that another process has to serve, on this machine or another. */
  readonly fetchedFiles: number
}

const NOTHING: BytesToMove = { networkBytes: 0, copiedBytes: 0, fetchedFiles: 0 }

/**
 * Bytes that have to move before the task has its files where it would run, by the cheapest way there is.
 * A rename or a clone moves none; what comes from another process on the same machine does not use the network.
 */
export function bytesToMove(request: TaskRequest, worker: WorkerView, snapshot: Snapshot): BytesToMove {
  const { brings } = request
  if (brings === null) return NOTHING
  const types = [...brings.files.keys()]
  const placing = { request, types, pathKind: brings.pathKind, boundBy: fileTypeBits(...types) }
  const placed = placeOn(worker, snapshot.index, placing)
  return types.reduce((sum, type) => {
    const bytes = brings.files.get(type) ?? 0
    const targets = 'paths' in placed ? (placed.paths.get(type) ?? []) : []
    const tier = tierFor(request, type, worker, targets, snapshot)
    return {
      networkBytes: sum.networkBytes + (tier === 'network' ? bytes : 0),
      copiedBytes: sum.copiedBytes + (tier === 'copy' ? bytes : 0),
      fetchedFiles: sum.fetchedFiles + (holds(snapshot.index, worker, request.sector.ID, type) ? 0 : 1),
    }
  }, NOTHING)
}

function tierFor(
  request: TaskRequest,
  type: SectorFileType,
  worker: WorkerView,
  targets: readonly PathView[],
  { index, workers }: Snapshot,
): Tier {
  // To seal, a file is used where it lies; only long-term storage asks for a place of its own.
  if (request.brings?.pathKind === 'sealing' && holds(index, worker, request.sector.ID, type))
    return 'in-place'
  const holders = holdersOf(index, request.sector.ID, FILE_TYPE_BIT[type])
  const usable = holders.filter((path) => path.unusable === null)
  const ways = (usable.length > 0 ? usable : holders).flatMap((holder) =>
    targets.map((target) => tierBetween(holder.info.ID, target.info.ID, worker, workers)),
  )
  return ways.reduce<Tier>((best, each) => (RANK[each] < RANK[best] ? each : best), 'network')
}

const RANK: Readonly<Record<Tier, number>> = { 'in-place': 0, rename: 1, clone: 2, copy: 3, network: 4 }

function tierBetween(
  from: string,
  to: string,
  worker: WorkerView,
  workers: ReadonlyMap<string, WorkerView>,
): Tier {
  if (from === to) return 'in-place'
  // A stranger does not say what its moves cost: at worst it copies, as lotus' mv does.
  if (worker.paths.has(from)) return worker.tier(from, to) ?? 'copy'
  const sameMachine = [...workers.values()].some(
    (other) => other.machine !== null && other.machine === worker.machine && other.paths.has(from),
  )
  return sameMachine ? 'copy' : 'network'
}

/** How long the bytes take, by what moves have shown. */
export function secondsToMove(
  bytes: Pick<BytesToMove, 'networkBytes' | 'copiedBytes'>,
  { experience }: Pick<Snapshot, 'experience'>,
): number {
  return (
    bytes.networkBytes / experience.bytesPerSecond('network') +
    bytes.copiedBytes / experience.bytesPerSecond('copy')
  )
}
