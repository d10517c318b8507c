import { lstat } from 'node:fs/promises'
import { unsealedAllocated } from '../native/unsealed.ts'
import {
  type FileTypeBits,
  fileTypesOf,
  isDirectoryType,
  type SectorFileType,
} from '../sectors/file-types.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { completePhase, wholeFileProblem } from './cache-completeness.ts'
import { listCache } from './cache-directory.ts'
import { bytesOnDisk } from './disk-use.ts'
import type { Fetcher } from './fetch-sector.ts'
import { findSources, removeAtSource } from './fetch-sources.ts'
import { storeTypes } from './move-sector.ts'
import { giveWayToWhole } from './partial-unsealed.ts'
import type { StorageParts } from './parts.ts'
import { firstSound } from './path-choice.ts'
import { relativeName } from './storage-path.ts'
import { transferFile } from './transfer-file.ts'

/**
 * Moves types of a sector to store paths of this node, all or, when space is refused, none; then removes the
 * copies that other own paths still hold. Moved twice is moved once.
 * @throws StorageError NOT_HELD, NO_SPACE, NO_PATH, BUSY
 */
export async function moveToStore(
  parts: StorageParts,
  fetcher: Fetcher,
  sector: SectorRef,
  bits: FileTypeBits,
  signal?: AbortSignal,
): Promise<void> {
  const types = fileTypesOf(bits)
  await parts.locks.run(sectorName(sector.ID), async () => {
    if (types.includes('unsealed')) await giveWayToWhole(parts, sector, signal)
    for (const type of types) {
      const here = await parts.paths.holdersOf(type, sector.ID)
      if (here.length === 0) await fetcher.fetch(sector, type, 'storage', 'move', signal)
    }
    await underFileLocks(parts, sector, types, async () => {
      await storeTypes(parts, sector, types, false, signal)
      for (const type of types) await removeCopies(parts, sector, type, signal)
    })
    for (const type of types) await removeCopiesElsewhere(parts, sector, type)
  })
}

/**
 * Copies in seal paths of other nodes, as the field does: what a task or a fetch that was cut off has left there.
 * Only when what the store has is whole by all that can be told of it: what is not certain is not done. A node that
 * is away keeps its copy, and the log says so.
 */
async function removeCopiesElsewhere(
  parts: StorageParts,
  sector: SectorRef,
  type: SectorFileType,
): Promise<void> {
  const sources = (await findSources(parts, sector, type)).filter(({ canStore }) => !canStore)
  if (sources.length === 0) return
  const holders = await parts.paths.holdersOf(type, sector.ID)
  const stored = await firstSound(
    parts,
    holders.filter(({ meta }) => meta.CanStore),
  )
  if (stored === null || !(await isWhole(stored.fileOf(type, sector.ID), sector, type))) return
  const paths = new Map(sources.map((source) => [source.pathId, source]))
  for (const source of paths.values()) await removeAtSource(parts, source, stored, sector.ID)
}

async function isWhole(file: string, sector: SectorRef, type: SectorFileType): Promise<boolean> {
  const proof = sealProof(sector.ProofType)
  if (type === 'unsealed') return unsealedAllocated(file, proof.sectorSize, 0, proof.sectorSize)
  if (type === 'cache') return completePhase(proof, await listCache(file)).phase !== null
  // Nothing says yet what makes an update-cache whole.
  if (isDirectoryType(type)) return false
  return wholeFileProblem(type, proof, (await lstat(file)).size) === null
}

/**
 * Once a store path of this node, still the one it was, holds the file, other own copies may go: those with the
 * same content. What was in the store before may be half a copy, and the one in the seal path the only whole one.
 * @throws StorageError (abort) when a copy differs; it stays
 */
async function removeCopies(
  parts: StorageParts,
  sector: SectorRef,
  type: SectorFileType,
  signal?: AbortSignal,
): Promise<void> {
  const holders = await parts.paths.holdersOf(type, sector.ID)
  const stored = await firstSound(
    parts,
    holders.filter(({ meta }) => meta.CanStore),
  )
  if (stored === null) return
  for (const path of holders) {
    if (path.meta.CanStore || path.inTheMaking.has(relativeName(type, sector.ID))) continue
    // The mover compares where the name is taken: nothing is copied, and the source goes only if both are equal.
    const bytes = await bytesOnDisk(path, type, sector.ID)
    const places = { from: path, to: stored, keepSource: false } as const
    const move = { sector: sector.ID, type, ...places, tier: 'copy', bytes, isSecondCopy: true } as const
    await transferFile(parts, move, signal)
  }
}

/** Takes the locks of several files of a sector, always in the order of their bits. */
async function underFileLocks(
  parts: StorageParts,
  sector: SectorRef,
  types: readonly SectorFileType[],
  work: () => Promise<void>,
): Promise<void> {
  const [first, ...rest] = types
  if (first === undefined) return work()
  return parts.locks.run(relativeName(first, sector.ID), () => underFileLocks(parts, sector, rest, work))
}
