import { FILE_TYPES, isFileType, type SectorFileType } from '../sectors/file-types.ts'
import type { PathKind } from '../sectors/space-tables.ts'
import type { StorageMeta } from './sector-store.ts'

/** The flag of a path that this kind of file asks for. */
export function servesKind(meta: Pick<StorageMeta, 'CanSeal' | 'CanStore'>, kind: PathKind): boolean {
  return kind === 'sealing' ? meta.CanSeal : meta.CanStore
}

/** AllowTypes, when it names any known type, lists what may be placed; DenyTypes takes away from that. */
export function allowsType(meta: Pick<StorageMeta, 'AllowTypes' | 'DenyTypes'>, type: SectorFileType): boolean {
  const allowed = meta.AllowTypes.filter(isFileType)
  const may: readonly SectorFileType[] = allowed.length > 0 ? allowed : FILE_TYPES
  return may.includes(type) && !meta.DenyTypes.includes(type)
}

/** AllowMiners, when not empty, lists whose sectors may be placed; DenyMiners takes away from that. */
export function allowsMiner(meta: Pick<StorageMeta, 'AllowMiners' | 'DenyMiners'>, miner: number): boolean {
  const names = [`f0${miner}`, `t0${miner}`]
  const isListed = (listed: readonly string[]) => listed.some((each) => names.includes(each))
  return (meta.AllowMiners.length === 0 || isListed(meta.AllowMiners)) && !isListed(meta.DenyMiners)
}
