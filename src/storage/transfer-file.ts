import { z } from 'zod'
import type { Durable } from '../native/mover.ts'
import { sectorId, type Tier } from '../protocol/types.ts'
import { FILE_TYPE_BIT, FILE_TYPES, isDirectoryType, type SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { asStorageError } from './errors.ts'
import type { StorageParts } from './parts.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

/** One sector file on its way from an own path to another. */
export interface LocalTransfer {
  readonly sector: SectorId
  readonly type: SectorFileType
  readonly from: StoragePath
  readonly to: StoragePath
  /** True copies. */
  readonly keepSource: boolean
}

const moveTag = z.object({ sector: sectorId, type: z.enum(FILE_TYPES), fromId: z.string(), toId: z.string() })

/** What a move says of itself in the journal: all that is needed to end it after a crash. */
export type MoveTag = z.output<typeof moveTag>

/** @returns null for a tag that this version did not write */
export function parseMoveTag(text: string): MoveTag | null {
  try {
    return moveTag.parse(JSON.parse(text))
  } catch {
    return null
  }
}

/**
 * Brings one file to another own path: the target is durable, then declared, and only then does the source go.
 * The caller holds the file's lock and, where new blocks are needed, space for them.
 * @param tier what it is expected to cost; the mover falls back to a copy by itself
 * @throws StorageError; the source is intact unless the target is durable
 */
export async function transferFile(
  parts: StorageParts,
  move: LocalTransfer & { readonly tier: Tier; readonly bytes: number },
  signal?: AbortSignal,
): Promise<Durable> {
  const { sector, type, from, to, keepSource } = move
  const name = relativeName(type, sector)
  const stopMaking = to.startMaking(type, sector)
  try {
    await from.assertIdentity()
    await to.assertIdentity()
    const tag: MoveTag = { sector, type, fromId: from.id, toId: to.id }
    const transfer = parts.mover.transfer({
      op: parts.operations.next(),
      source: { root: from.directory, name },
      target: { root: to.directory, name },
      keepSource,
      verify: parts.settings.verifyCopies && move.tier === 'copy',
      tag: JSON.stringify(tag),
    })
    const start = { id: transfer.op, sector, fileType: FILE_TYPE_BIT[type], from: from.id, to: to.id }
    const done = await parts.transfers.follow(
      { ...start, method: move.tier, totalBytes: move.bytes },
      () => transfer.progress(),
      () => transfer.run(signal),
    )
    parts.log.info('sector file moved', {
      sector: sectorName(sector),
      type,
      from: from.id,
      to: to.id,
      ...summary(done),
    })
    await parts.declarations.declareSurely(to, type, sector, to.meta.CanStore, parts.closing)
    await leaveSource(parts, move, () => transfer.removeSource())
    await transfer.done()
    return done
  } catch (error) {
    throw asStorageError(error, `${name} could not be brought from ${from.directory} to ${to.directory}`, {
      sector,
      storagePath: to.id,
    })
  } finally {
    stopMaking()
  }
}

/** The last part of a move, repeatable: the target is declared, the source may go, the index hears of it last. */
export async function leaveSource(
  parts: StorageParts,
  { sector, type, from, to, keepSource }: Omit<LocalTransfer, 'from'> & { readonly from: StoragePath | null },
  removeSource: () => Promise<void>,
): Promise<void> {
  const known = from !== null && isDirectoryType(type) ? await parts.records.get(sector, from.id) : null
  if (known !== null) await parts.records.put(sector, to.id, known)
  if (keepSource) return
  if (from !== null) parts.declarations.hide(from, type, sector)
  await removeSource()
  if (from === null) return
  if (known !== null) await parts.records.remove(sector, from.id)
  await parts.declarations.drop(from, type, sector)
}

function summary({ method, bytes, copiedBytes, seconds, files }: Durable) {
  return { method, bytes, copiedBytes, files, seconds }
}
