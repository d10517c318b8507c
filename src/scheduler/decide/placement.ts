import type { IndexView, PathView } from '../../sector-index/path-view.ts'
import {
  FILE_TYPE_BIT,
  type FileTypeBits,
  fileTypesOf,
  type SectorFileType,
} from '../../sectors/file-types.ts'
import { allowedGroups, allowsMiner, allowsType, isInGroups, refusingRule } from '../../sectors/path-rules.ts'
import type { SectorId } from '../../sectors/sector-id.ts'
import { neededSpace, type PathKind } from '../../sectors/space-tables.ts'
import { proofOf, type TaskRequest } from './request.ts'
import type { WorkerView } from './snapshot.ts'

/** Paths that hold a sector's file, first who is well. */
export function holdersOf(index: IndexView, sector: SectorId, bits: FileTypeBits): PathView[] {
  const holding = new Set(
    index.holdings(sector).flatMap((each) => ((each.bits & bits) === 0 ? [] : [each.pathId])),
  )
  const holders = index.paths.filter((path) => holding.has(path.info.ID))
  return [
    ...holders.filter((path) => path.unusable === null),
    ...holders.filter((path) => path.unusable !== null),
  ]
}

export function holds(index: IndexView, worker: WorkerView, sector: SectorId, type: SectorFileType): boolean {
  return holdersOf(index, sector, FILE_TYPE_BIT[type]).some((path) => worker.paths.has(path.info.ID))
}

/** Files to place on a worker, and where those come from that exist. */
export interface Placing {
  readonly request: TaskRequest
  readonly types: readonly SectorFileType[]
  readonly pathKind: PathKind
  /** Types whose groups bind the choice: their holders say who may have them. */
  readonly boundBy: FileTypeBits
}

/** Where each file would go, or why one cannot go anywhere. */
export type Placed =
  | { readonly paths: ReadonlyMap<SectorFileType, readonly PathView[]> }
  | { readonly refusal: string }

/**
 * Finds each file paths on the worker that may take it, all together within the room that is there.
 * A file that lies on such a path already needs none, nor does one that gets there by a rename.
 */
export function placeOn(worker: WorkerView, index: IndexView, placing: Placing): Placed {
  const { sector } = placing.request
  const groups = allowedGroups(holdersOf(index, sector.ID, placing.boundBy).map((path) => path.info))
  const takers = index.paths
    .filter((path) => worker.paths.has(path.info.ID))
    .filter((path) => (placing.pathKind === 'sealing' ? path.info.CanSeal : path.info.CanStore))
  if (takers.length === 0) return { refusal: `has no storage path for ${kindWords[placing.pathKind]}` }
  const left = new Map(takers.map((path) => [path.info.ID, path.stat?.Available ?? 0]))
  const paths = new Map<SectorFileType, readonly PathView[]>()
  for (const type of placing.types) {
    const found = placeOne(worker, index, placing, type, takers, groups, left)
    if ('refusal' in found) return found
    paths.set(type, found.paths)
  }
  return { paths }
}

const kindWords: Readonly<Record<PathKind, string>> = { sealing: 'sealing', storage: 'long-term storage' }

function placeOne(
  worker: WorkerView,
  index: IndexView,
  placing: Placing,
  type: SectorFileType,
  takers: readonly PathView[],
  groups: ReadonlySet<string> | null,
  left: Map<string, number>,
): { readonly paths: readonly PathView[] } | { readonly refusal: string } {
  const { sector } = placing.request
  const allowed = takers.filter(
    (path) => allowsMiner(path.info, sector.ID.Miner) && allowsType(path.info, type),
  )
  if (allowed.length === 0) return { refusal: ruleWords(takers, sector.ID, type) }
  // A store that names no group takes from anyone; a seal path takes only what is let to one of its groups.
  const open = (path: PathView) =>
    (placing.pathKind === 'storage' && path.info.Groups.length === 0) || isInGroups(path.info, groups)
  const grouped = allowed.filter(open)
  if (grouped.length === 0) {
    return { refusal: groupWords(allowed, groups, holdersOf(index, sector.ID, placing.boundBy)) }
  }
  const usable = grouped.filter((path) => path.unusable === null)
  if (usable.length === 0) return { refusal: `its path ${grouped[0]?.info.ID}: ${grouped[0]?.unusable}` }
  const needed = neededSpace(type, proofOf(placing.request), placing.pathKind)
  const free = usable.filter((path) => needsNoRoom(worker, index, path, sector.ID, type))
  const roomy = usable.filter((path) => !free.includes(path) && (left.get(path.info.ID) ?? 0) >= needed)
  const paths = [...free, ...roomy]
  if (paths.length === 0) {
    const room = usable.map((path) => `${left.get(path.info.ID) ?? 0} on ${path.info.ID}`).join(', ')
    return { refusal: `no room for ${type}: it needs ${needed} bytes, there are ${room}` }
  }
  const [taker] = roomy
  if (free.length === 0 && taker !== undefined) {
    left.set(taker.info.ID, (left.get(taker.info.ID) ?? 0) - needed)
  }
  return { paths }
}

/** Each rule as it stands, the paths it stands in, and what to do about it. */
function ruleWords(takers: readonly PathView[], sector: SectorId, type: SectorFileType): string {
  const rules = takers
    .map((path) => `${refusingRule(path.info, sector.Miner, type)} on ${path.info.ID}`)
    .join('; ')
  return (
    `none of its storage paths may take ${type} of f0${sector.Miner}: ${rules}; ` +
    `change the rule in the path's sectorstore.json, then 'storage redeclare'`
  )
}

function groupWords(
  takers: readonly PathView[],
  groups: ReadonlySet<string> | null,
  holders: readonly PathView[],
): string {
  const theirs = takers.map(({ info }) => `${info.ID} is in ${info.Groups.join(', ') || 'none'}`).join(', ')
  return (
    `AllowTo lets the sector go to groups ${[...(groups ?? [])].join(', ')} only, as ${idsOf(holders)} says, ` +
    `and here ${theirs}: change Groups of a path here, or AllowTo there, in sectorstore.json, then 'storage redeclare'`
  )
}

function idsOf(paths: readonly PathView[]): string {
  return paths.map((path) => path.info.ID).join(', ')
}

/** It lies there already, or a rename within the filesystem brings it; a quota may still stand against that. */
function needsNoRoom(
  worker: WorkerView,
  index: IndexView,
  path: PathView,
  sector: SectorId,
  type: SectorFileType,
): boolean {
  return holdersOf(index, sector, FILE_TYPE_BIT[type]).some((holder) => {
    if (holder.info.ID === path.info.ID) return true
    const here = worker.paths.has(holder.info.ID)
    return here && path.info.MaxStorage === 0 && worker.tier(holder.info.ID, path.info.ID) === 'rename'
  })
}

export function typeWords(bits: FileTypeBits): string {
  return fileTypesOf(bits).join(', ')
}
