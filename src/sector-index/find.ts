import type { SectorStorageInfo, StorageInfo } from '../protocol/types.ts'
import { type FileTypeBits, fileTypesOf } from '../sectors/file-types.ts'
import { allowedGroups, allowsAnyType, allowsMiner, isInGroups } from '../sectors/path-rules.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { type PathKind, reportedSpaceOf } from '../sectors/space-tables.ts'
import type { Holding, IndexView, PathView } from './path-view.ts'

/**
 * Paths that hold any of the types, then, with `allowFetch`, seal paths that could take all of them
 * (lotus-compat 3.2). Holders are never filtered: a stale one may be the only one.
 * @param sectorSize bytes; only used with `allowFetch`
 */
export function findSector(
  view: IndexView,
  sector: SectorId,
  bits: FileTypeBits,
  sectorSize: number,
  allowFetch: boolean,
): SectorStorageInfo[] {
  const paths = new Map(view.paths.map((path) => [path.info.ID, path]))
  const holders = view
    .holdings(sector)
    .filter((holding) => (holding.bits & bits) !== 0)
    .flatMap((holding) => {
      const path = paths.get(holding.pathId)
      return path === undefined ? [] : [{ path, holding }]
    })
    .sort((a, b) => holderRank(b.path, b.holding, bits) - holderRank(a.path, a.holding, bits))
  const found = holders.map(({ path, holding }) => holderInfo(path.info, holding, sector, bits))
  if (!allowFetch) return found
  const groups = allowedGroups(holders.map(({ path }) => path.info))
  const holding = new Set(holders.map(({ path }) => path.info.ID))
  const candidates = view.paths.filter(
    (path) => !holding.has(path.info.ID) && mayFetch(path, sector, bits, sectorSize, groups),
  )
  return [...found, ...candidates.map((path) => pathInfo(path.info, sector, bits, 0, false))]
}

/** Lotus answers in random order; ours puts first who is well, then the primary copy, then the heavier path. */
function holderRank(path: PathView, holding: Holding, bits: FileTypeBits): number {
  const isPrimary = (holding.primaryBits & bits) !== 0
  return (path.unusable === null ? 2 ** 52 : 0) + (isPrimary ? 2 ** 51 : 0) + path.info.Weight
}

function holderInfo(
  info: StorageInfo,
  holding: Holding,
  sector: SectorId,
  bits: FileTypeBits,
): SectorStorageInfo {
  const held = holding.bits & bits
  const weight = info.Weight * fileTypesOf(held).length
  return pathInfo(info, sector, held, weight, (holding.primaryBits & bits) !== 0)
}

/** With several types asked for at once lotus' URL is of no use to anybody; ours names the first of them. */
function pathInfo(
  info: StorageInfo,
  sector: SectorId,
  bits: FileTypeBits,
  weight: number,
  primary: boolean,
): SectorStorageInfo {
  const type = fileTypesOf(bits)[0] ?? 'unsealed'
  return {
    ID: info.ID,
    URLs: info.URLs.map((url) => `${url.replace(/\/+$/, '')}/${type}/${sectorName(sector)}`),
    BaseURLs: [...info.URLs],
    Weight: weight,
    CanSeal: info.CanSeal,
    CanStore: info.CanStore,
    Primary: primary,
    AllowTypes: info.AllowTypes,
    DenyTypes: info.DenyTypes,
    AllowMiners: info.AllowMiners,
    DenyMiners: info.DenyMiners,
  }
}

function mayFetch(
  path: PathView,
  sector: SectorId,
  bits: FileTypeBits,
  sectorSize: number,
  groups: ReadonlySet<string> | null,
): boolean {
  return (
    path.info.CanSeal &&
    hasRoom(path, reportedSpaceOf(bits, sectorSize, 'sealing')) &&
    allowsMiner(path.info, sector.Miner) &&
    allowsAnyType(path.info, bits) &&
    isInGroups(path.info, groups)
  )
}

function hasRoom(path: PathView, neededBytes: number): boolean {
  return path.unusable === null && path.stat !== null && path.stat.Available >= neededBytes
}

/**
 * Paths with room for all types together, best first by Available × Weight (lotus-compat 3.4).
 * Filters of types are left to the caller, as the field does.
 * @param miner 0 when an older caller does not say: then nobody's filter of miners applies
 */
export function bestAlloc(
  view: IndexView,
  bits: FileTypeBits,
  sectorSize: number,
  kind: PathKind,
  miner: number,
): StorageInfo[] {
  const neededBytes = reportedSpaceOf(bits, sectorSize, kind)
  return view.paths
    .filter((path) => (kind === 'sealing' ? path.info.CanSeal : path.info.CanStore))
    .filter((path) => miner === 0 || allowsMiner(path.info, miner))
    .filter((path) => hasRoom(path, neededBytes))
    .map((path) => ({ info: path.info, rank: BigInt(path.stat?.Available ?? 0) * BigInt(path.info.Weight) }))
    .sort((a, b) => (a.rank === b.rank ? 0 : a.rank < b.rank ? 1 : -1))
    .map(({ info }) => info)
}
