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
