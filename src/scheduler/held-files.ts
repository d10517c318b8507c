import type { SectorIndex } from '../sector-index/sector-index.ts'
import { FILE_TYPE_BIT, type FileTypeBits, fileTypesOf, type SectorFileType } from '../sectors/file-types.ts'
import { allowsType } from '../sectors/path-rules.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { holdersOf } from './decide/placement.ts'
import { SchedulerError } from './errors.ts'

// Questions to the index about one sector, before and after its tasks.

export function isHeld(index: SectorIndex, sector: SectorId, type: SectorFileType): boolean {
  return holdersOf(index.view(), sector, FILE_TYPE_BIT[type]).length > 0
}

/** @throws SchedulerError NOT_HELD, temporary: a path that is detached for a while may come back */
export function demandHeld(index: SectorIndex, sector: SectorId, bits: FileTypeBits, task: string): void {
  const lost = fileTypesOf(bits).filter((type) => !isHeld(index, sector, type))
  if (lost.length === 0) return
  throw new SchedulerError({
    code: 'NOT_HELD',
    level: 'temporary',
    message: `${task}: no storage path holds ${lost.join(', ')} of ${sectorName(sector)}; attach the path that does`,
    sector: sectorName(sector),
  })
}

/**
 * Before a sector's first steps nothing of it can be in long-term storage: what lies there has its number and is
 * another sector, sealed by another program or before the state was lost. AP would write into it, PC1 begins by
 * removing it.
 * @throws SchedulerError ALREADY_STORED, temporary: it must never count towards giving the sector up
 */
export function refuseStored(index: SectorIndex, sector: SectorId, task: string): void {
  const view = index.view()
  const stores = new Set(
    view.paths.filter(({ info }) => info.CanStore && !info.CanSeal).map(({ info }) => info.ID),
  )
  const stored = view.holdings(sector).find(({ pathId }) => stores.has(pathId))
  if (stored === undefined) return
  const name = sectorName(sector)
  throw new SchedulerError({
    code: 'ALREADY_STORED',
    level: 'temporary',
    message: `${task}: storage path ${stored.pathId} holds ${fileTypesOf(stored.bits).join(', ')} of ${name} for the long term, so another sector has this number; nothing was touched. Keep it: detach that path, remove the new sector, attach the path again`,
    sector: name,
  })
}

/** Whether a type lies in long-term storage and nowhere else, on paths that may keep it. */
export function isStored(index: SectorIndex, sector: SectorId, type: SectorFileType): boolean {
  const holders = holdersOf(index.view(), sector, FILE_TYPE_BIT[type])
  return holders.length > 0 && holders.every(({ info }) => info.CanStore && allowsType(info, type))
}

/** Paths with files of a sector: ID → types. */
export function leftovers(index: SectorIndex, sector: SectorId): Map<string, SectorFileType[]> {
  const holdings = index.view().holdings(sector)
  return new Map(holdings.map((holding) => [holding.pathId, fileTypesOf(holding.bits)]))
}
