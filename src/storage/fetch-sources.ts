import { describeError } from '../base/errors.ts'
import { FILE_TYPE_BIT, type SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { asStorageError } from './errors.ts'
import type { StorageParts } from './parts.ts'
import type { StoragePath } from './storage-path.ts'

/** One URL of one path that holds a sector file. */
export interface Source {
  readonly pathId: string
  readonly url: string
  readonly canStore: boolean
  /** Store paths of the cluster that hold the file too; the node that answers may have one of them. */
  readonly stores: readonly string[]
}

/** A directory of a 64 GiB sector has 1 TiB of layers to unlink. */
const REMOVE_TIMEOUT_MS = 600_000

/**
 * Where a file can be fetched from: nodes of this machine first, for there no network is crossed; then, as the
 * field does, the lightest path first, which leaves the store to its readers. A path that is attached here is
 * never among them: its file, were it there, would have been found on the disk.
 */
export async function findSources(
  parts: StorageParts,
  sector: SectorRef,
  type: SectorFileType,
): Promise<Source[]> {
  const holders = await parts.index
    .StorageFindSector(sector.ID, FILE_TYPE_BIT[type], 0, false)
    .catch((cause: unknown) => {
      throw asStorageError(cause, 'the index did not say who holds a file', { sector: sector.ID })
    })
  const own = hostOf(parts.url)
  const stores = holders.filter((holder) => holder.CanStore).map((holder) => holder.ID)
  return holders
    .filter((holder) => parts.paths.find(holder.ID) === null)
    .flatMap((holder) => holder.URLs.map((url) => ({ holder, url })))
    .sort((a, b) => distance(own, a.url) - distance(own, b.url) || a.holder.Weight - b.holder.Weight)
    .map(({ holder, url }) => ({ pathId: holder.ID, url, canStore: holder.CanStore, stores }))
}

/** The source that a cut download came from before the others of its distance: the others begin anew. */
export function keptFirst(parts: StorageParts, sources: readonly Source[], kept: string | null): Source[] {
  const own = hostOf(parts.url)
  const rank = (source: Source) => 2 * distance(own, source.url) + (source.url === kept ? 0 : 1)
  return [...sources].sort((a, b) => rank(a) - rank(b))
}

/**
 * Ends a move from another node: its copy goes, ours stays by its ID, should the node see that path too. A
 * failure leaves two copies, and says so. A store is never emptied for the sake of a seal path.
 */
export async function removeAtSource(
  parts: StorageParts,
  source: Source,
  target: StoragePath,
  sector: SectorId,
): Promise<void> {
  const fields = { sector: sectorName(sector), url: source.url, storagePath: target.id }
  if (source.canStore && !target.meta.CanStore) {
    parts.log.info('a stored file was fetched; it stays in its store as well', fields)
    return
  }
  try {
    // A node removes the file from all its paths: those of its store that we did not read from stay.
    const keep = [target.id, ...source.stores.filter((id) => id !== source.pathId && id !== target.id)]
    // The field joins IDs with a dot, which no ID has.
    const answer = await fetch(`${source.url}?keep=${encodeURIComponent(keep.join('.'))}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${await parts.fetchToken()}` },
      signal: AbortSignal.any([AbortSignal.timeout(REMOVE_TIMEOUT_MS), parts.cancelling]),
    })
    await answer.arrayBuffer()
    if (answer.status === 200) return
    const { status } = answer
    parts.log.warn('the source of a moved file was not removed: two copies remain', { ...fields, status })
  } catch (error) {
    parts.log.warn('the source of a moved file was not removed: two copies remain', {
      ...fields,
      error: describeError(error),
    })
  }
}

function distance(own: string, url: string): number {
  return hostOf(url) === own ? 0 : 1
}

/** Host of a node, by which speeds are remembered; empty for what is no URL. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : ''
}
