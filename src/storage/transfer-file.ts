import { z } from 'zod'
import type { Durable } from '../native/mover.ts'
import { sectorId, type Tier } from '../protocol/types.ts'
import { FILE_TYPE_BIT, FILE_TYPES, type SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import { asStorageError } from './errors.ts'
import { isThere } from './local-paths.ts'
import type { StorageParts } from './parts.ts'
import { withoutNews } from './remove-files.ts'
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
 * @param isSecondCopy the target has the file: both are compared, no byte is moved, and no transfer is listed
 * @throws StorageError; the source is intact unless the target is durable
 */
export async function transferFile(
  parts: StorageParts,
  move: LocalTransfer & { readonly tier: Tier; readonly bytes: number; readonly isSecondCopy?: boolean },
  signal?: AbortSignal,
): Promise<Durable> {
  const { sector, type, from, to, keepSource } = move
  const name = relativeName(type, sector)
  const stopMaking = to.startMaking(type, sector)
  const stopUsing = from.startUsing(name)
  let undoRecord: () => Promise<void> = async () => undefined
  try {
    await from.assertIdentity()
    await to.assertIdentity()
    undoRecord = await recordAhead(parts, move)
    const tag: MoveTag = { sector, type, fromId: from.id, toId: to.id }
    const transfer = parts.mover.transfer({
      op: parts.operations.next(),
      source: { root: from.directory, name },
      target: { root: to.directory, name },
      keepSource,
      // The mover compares what it copied, whatever tier was expected; a rename or clone has nothing to compare.
      verify: parts.settings.verifyCopies,
      hash: parts.settings.copyHash,
      tag: JSON.stringify(tag),
    })
    const start = { id: transfer.op, sector, fileType: FILE_TYPE_BIT[type], from: from.id, to: to.id }
    const run = () => transfer.run(signal)
    const follow = () =>
      parts.transfers.follow(
        { ...start, method: move.tier, totalBytes: move.bytes },
        () => transfer.progress(),
        run,
      )
    const done = await (move.isSecondCopy ? run() : follow())
    parts.log.info(move.isSecondCopy ? 'second copy of a sector file compared' : 'sector file moved', {
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
    await undoRecord()
    throw asStorageError(error, `${name} could not be brought from ${from.directory} to ${to.directory}`, {
      sector,
      storagePath: to.id,
    })
  } finally {
    stopUsing()
    stopMaking()
  }
}

/**
 * Says of the target what is known of the source, before it moves: a rename is not in the journal, and a stop right
 * after it would leave the cache here and its record there.
 * @returns takes it back, if the target did not come to be
 */
async function recordAhead(
  { records }: StorageParts,
  { sector, type, from, to }: LocalTransfer,
): Promise<() => Promise<void>> {
  const isThereNow = () => isThere(to.fileOf(type, sector))
  const known = type === 'cache' && !(await isThereNow()) ? await records.get(sector, from.id) : null
  if (known === null) return async () => undefined
  await records.put(sector, to.id, known)
  return async () => {
    if (!(await isThereNow())) await records.remove(sector, to.id)
  }
}

/** The last part of a move, repeatable: the target is declared, the source may go, the index hears of it last. */
export async function leaveSource(
  parts: StorageParts,
  { sector, type, from, to, keepSource }: Omit<LocalTransfer, 'from'> & { readonly from: StoragePath | null },
  removeSource: () => Promise<void>,
): Promise<void> {
  const known = from !== null && type === 'cache' ? await parts.records.get(sector, from.id) : null
  if (known !== null) await parts.records.put(sector, to.id, known)
  if (keepSource) return
  if (from === null) return removeSource()
  await withoutNews(from, type, sector, async () => {
    parts.declarations.hide(from, type, sector)
    await removeSource()
    if (known !== null) await parts.records.remove(sector, from.id)
    await parts.declarations.drop(from, type, sector)
  })
}

function summary({ method, engine, bytes, copiedBytes, seconds, files }: Durable) {
  return { method, ...(engine === null ? {} : { engine }), bytes, copiedBytes, files, seconds }
}
