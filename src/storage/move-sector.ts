import type { SectorFileType } from '../sectors/file-types.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { bytesOnDisk } from './disk-use.ts'
import { type StorageError, storageError } from './errors.ts'
import { type FileView, type MovePlan, type PlannedMove, planMoves, type TargetView } from './move-plan.ts'
import type { StorageParts } from './parts.ts'
import { rankedPaths } from './path-choice.ts'
import { relativeName, type StoragePath } from './storage-path.ts'
import { transferFile } from './transfer-file.ts'

/**
 * Brings types that lie on this node to its store paths. The caller holds the locks of the files.
 * @param keepSource true copies
 * @throws StorageError NOT_HELD, NO_SPACE, NO_PATH, BUSY
 */
export async function storeTypes(
  parts: StorageParts,
  sector: SectorRef,
  types: readonly SectorFileType[],
  keepSource: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const full = new Set<string>()
  for (;;) {
    const plan = await planned(parts, sector, types, full)
    const giveBack = await reserve(parts, sector, plan.moves).catch((error: StorageError) => {
      // Another store path may have the room; one that was refused is not asked again.
      const refused = error.code === 'NO_SPACE' ? error.storagePath : null
      if (refused === null || full.has(refused)) throw error
      full.add(refused)
      return null
    })
    if (giveBack === null) continue
    try {
      await carryOut(parts, sector, plan, keepSource, signal)
      return
    } finally {
      await giveBack()
    }
  }
}

/** What tells a move that nothing holds it up: each file here, none being made, a place for each. */
async function planned(
  parts: StorageParts,
  sector: SectorRef,
  types: readonly SectorFileType[],
  full: ReadonlySet<string>,
): Promise<MovePlan> {
  const files: FileView[] = []
  const targets = new Map<SectorFileType, TargetView[]>()
  for (const type of types) {
    const holders = await parts.paths.holdersOf(type, sector.ID)
    assertNotInTheMaking(sector, type, holders)
    const [first] = holders
    const bytes = first === undefined ? 0 : await bytesOnDisk(first, type, sector.ID)
    files.push({
      type,
      bytes,
      holders: holders.map(({ id, meta }) => ({ pathId: id, canStore: meta.CanStore })),
    })
    // A file that is stored already needs no target, and so no answer of the index.
    if (holders.some(({ meta }) => meta.CanStore) || first === undefined) continue
    targets.set(type, await targetViews(parts, sector, type, holders, full))
  }
  const plan = planMoves(sealProof(sector.ProofType).sectorSize, files, (type) => targets.get(type) ?? [])
  const [missing] = plan.missing
  if (missing !== undefined) throw failure(sector, 'NOT_HELD', `${missing} lies on no path of this node`)
  const [homeless] = plan.homeless
  if (homeless === undefined) return plan
  throw failure(
    sector,
    'NO_SPACE',
    `no store path of this node has room for ${homeless}: free some, or attach another`,
  )
}

async function targetViews(
  parts: StorageParts,
  sector: SectorRef,
  type: SectorFileType,
  holders: readonly StoragePath[],
  full: ReadonlySet<string>,
): Promise<TargetView[]> {
  const ranked = await rankedPaths(parts, { sector, type, kind: 'storage' })
  return Promise.all(
    ranked
      .filter((path) => !full.has(path.id))
      .map(async (path) => ({
        pathId: path.id,
        weight: path.meta.Weight,
        hasQuota: path.meta.MaxStorage > 0,
        tierFrom: Object.fromEntries(
          await Promise.all(
            holders.map(async (from) => [from.id, await parts.tiers.between(from, path)] as const),
          ),
        ),
      })),
  )
}

async function reserve(parts: StorageParts, sector: SectorRef, moves: readonly PlannedMove[]) {
  const wants = moves
    .filter((move) => move.neededBytes > 0)
    .map((move) => ({
      what: move.type,
      path: parts.paths.get(move.toId),
      neededBytes: move.neededBytes,
      reportedBytes: move.reportedBytes,
    }))
  return parts.grants.reserve('GET', sector.ID, wants)
}

async function carryOut(
  parts: StorageParts,
  sector: SectorRef,
  plan: MovePlan,
  keepSource: boolean,
  signal?: AbortSignal,
): Promise<void> {
  for (const { type, pathId } of plan.stored) {
    await parts.declarations.declare(parts.paths.get(pathId), type, sector.ID, true)
  }
  for (const move of plan.moves) {
    const from = parts.paths.get(move.fromId)
    const bytes = await bytesOnDisk(from, move.type, sector.ID)
    const to = parts.paths.get(move.toId)
    await transferFile(
      parts,
      { sector: sector.ID, type: move.type, from, to, keepSource, tier: move.tier, bytes },
      signal,
    )
  }
}

function assertNotInTheMaking(
  sector: SectorRef,
  type: SectorFileType,
  holders: readonly StoragePath[],
): void {
  if (holders.every((path) => !path.inTheMaking.has(relativeName(type, sector.ID)))) return
  throw failure(
    sector,
    'BUSY',
    `${type} is being written by a task of this node: it is moved when that has ended`,
  )
}

function failure(sector: SectorRef, code: 'NOT_HELD' | 'NO_SPACE' | 'BUSY', message: string): StorageError {
  const level = code === 'NOT_HELD' ? 'permanent' : 'temporary'
  return storageError({ code, level, message: `${sectorName(sector.ID)}: ${message}`, sector: sector.ID })
}
