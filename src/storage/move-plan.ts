import { TIERS, type Tier } from '../protocol/types.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type PathKind, reportedSpace } from '../sectors/space-tables.ts'

/** An own path that holds a sector file. */
export interface HolderView {
  readonly pathId: string
  readonly canStore: boolean
}

/** One sector file that is to lie in the store. */
export interface FileView {
  readonly type: SectorFileType
  /** What it takes on its disk now. */
  readonly bytes: number
  readonly holders: readonly HolderView[]
}

/** A store path that takes a file, in the order in which the index offers them. */
export interface TargetView {
  readonly pathId: string
  /** The operator's preference. */
  readonly weight: number
  readonly hasQuota: boolean
  /** What it costs to bring the file here, by path that holds it. */
  readonly tierFrom: Readonly<Record<string, Tier>>
}

export interface PlannedMove {
  readonly type: SectorFileType
  readonly fromId: string
  readonly toId: string
  readonly tier: Tier
  /** Bytes of new space: none where the blocks stay where they are. */
  readonly neededBytes: number
  readonly reportedBytes: number
}

export interface MovePlan {
  readonly moves: readonly PlannedMove[]
  /** In the store already: nothing moves, also on a full disk. */
  readonly stored: readonly { readonly type: SectorFileType; readonly pathId: string }[]
  /** On no path of this node. */
  readonly missing: readonly SectorFileType[]
  /** Here, but no store path takes them. */
  readonly homeless: readonly SectorFileType[]
}

const KIND: PathKind = 'storage'

/**
 * How a sector's files come to the store: by the weightiest store path, among equals by the cheapest tier, among
 * those as the index ranks them.
 * @param targetsOf store paths with room for a file of that type
 */
export function planMoves(
  sectorSize: number,
  files: readonly FileView[],
  targetsOf: (type: SectorFileType) => readonly TargetView[],
): MovePlan {
  const moves: PlannedMove[] = []
  const stored: MovePlan['stored'][number][] = []
  const missing: SectorFileType[] = []
  const homeless: SectorFileType[] = []
  for (const file of files) {
    const there = file.holders.find((holder) => holder.canStore)
    if (there !== undefined) stored.push({ type: file.type, pathId: there.pathId })
    else if (file.holders.length === 0) missing.push(file.type)
    else {
      const best = targetsOf(file.type)
        .flatMap((target) => cheapest(file, target) ?? [])
        .sort(byPreference)[0]
      if (best === undefined) homeless.push(file.type)
      else moves.push(plannedMove(sectorSize, file, best))
    }
  }
  return { moves, stored, missing, homeless }
}

interface Way {
  readonly target: TargetView
  readonly fromId: string
  readonly tier: Tier
}

function cheapest(file: FileView, target: TargetView): Way | null {
  const ways = file.holders.map(({ pathId }) => ({
    target,
    fromId: pathId,
    tier: target.tierFrom[pathId] ?? 'copy',
  }))
  return ways.sort((a, b) => cost(a.tier) - cost(b.tier))[0] ?? null
}

/** sort() is stable: what is equal here stays in the order of the index. */
function byPreference(a: Way, b: Way): number {
  return b.target.weight - a.target.weight || cost(a.tier) - cost(b.tier)
}

function cost(tier: Tier): number {
  return TIERS.indexOf(tier)
}

function plannedMove(
  sectorSize: number,
  { type, bytes }: FileView,
  { target, fromId, tier }: Way,
): PlannedMove {
  // A rename or clone takes no new blocks, but it does count against a quota of the target.
  const isFree = tier !== 'copy' && !target.hasQuota
  return {
    type,
    fromId,
    toId: target.pathId,
    tier,
    neededBytes: isFree ? 0 : bytes,
    reportedBytes: isFree ? 0 : reportedSpace(type, sectorSize, KIND),
  }
}
