import { FILE_TYPES, type FileTypeBits, fileTypesOf, isFileType, type SectorFileType } from './file-types.ts'

/** The part of a storage path's description that says who may use it (lotus-compat 3.3, 3.6). */
export interface PathRules {
  readonly CanSeal: boolean
  readonly CanStore: boolean
  readonly Groups: readonly string[]
  readonly AllowTo: readonly string[]
  readonly AllowTypes: readonly string[]
  readonly DenyTypes: readonly string[]
  readonly AllowMiners: readonly string[]
  readonly DenyMiners: readonly string[]
}

/** AllowTypes, when it names any known type, lists what may be placed; DenyTypes takes away from that. */
export function allowsType(path: Pick<PathRules, 'AllowTypes' | 'DenyTypes'>, type: SectorFileType): boolean {
  const allowed = path.AllowTypes.filter(isFileType)
  const may: readonly SectorFileType[] = allowed.length > 0 ? allowed : FILE_TYPES
  return may.includes(type) && !path.DenyTypes.includes(type)
}

/** Whether at least one of the types may be placed. */
export function allowsAnyType(
  path: Pick<PathRules, 'AllowTypes' | 'DenyTypes'>,
  bits: FileTypeBits,
): boolean {
  return fileTypesOf(bits).some((type) => allowsType(path, type))
}

/** AllowMiners, when not empty, lists whose sectors may be placed; DenyMiners takes away from that. */
export function allowsMiner(path: Pick<PathRules, 'AllowMiners' | 'DenyMiners'>, miner: number): boolean {
  const names = [`f0${miner}`, `t0${miner}`]
  const isListed = (listed: readonly string[]) => listed.some((each) => names.includes(each))
  return (path.AllowMiners.length === 0 || isListed(path.AllowMiners)) && !isListed(path.DenyMiners)
}

/** The rule in `sectorstore.json` that keeps a file off a path, as it stands there; '' when none does. */
export function refusingRule(
  path: Omit<PathRules, 'CanSeal' | 'CanStore'>,
  miner: number,
  type: SectorFileType,
): string {
  const minerOnly = { AllowMiners: [], DenyMiners: path.DenyMiners }
  if (!allowsMiner(minerOnly, miner)) return `DenyMiners is ${path.DenyMiners.join(', ')}`
  if (!allowsMiner(path, miner)) return `AllowMiners is ${path.AllowMiners.join(', ')}`
  if (path.DenyTypes.includes(type)) return `DenyTypes is ${path.DenyTypes.join(', ')}`
  if (!allowsType(path, type)) return `AllowTypes is ${path.AllowTypes.join(', ')}`
  return ''
}

/**
 * Groups that the holders' files may go to.
 * @returns null when they may go anywhere: no holder, or one of them names no group
 */
export function allowedGroups(holders: readonly Pick<PathRules, 'AllowTo'>[]): ReadonlySet<string> | null {
  if (holders.length === 0 || holders.some((holder) => holder.AllowTo.length === 0)) return null
  return new Set(holders.flatMap((holder) => [...holder.AllowTo]))
}

/** Whether a path is in one of the groups; null stands for anywhere. */
export function isInGroups(path: Pick<PathRules, 'Groups'>, groups: ReadonlySet<string> | null): boolean {
  return groups === null || path.Groups.some((group) => groups.has(group))
}
