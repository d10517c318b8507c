import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { SectorIndex } from '../sector-index/sector-index.ts'
import { FILE_TYPE_BIT } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import type { ConnectedWorker } from './connected-worker.ts'
import { SchedulerError } from './errors.ts'
import { within } from './within.ts'

interface Surroundings {
  readonly index: SectorIndex
  readonly workers: readonly ConnectedWorker[]
  readonly clock: Clock
  readonly log: Logger
}

/** A worker whose disk hangs must not keep PC1's place on another one for ever. */
const REMOVE_MS = 300_000

interface StaleCopies {
  /** Workers that can remove them without touching anything else of the sector. */
  readonly removableBy: readonly ConnectedWorker[]
  /** Paths where they stay for now. */
  readonly outOfReach: readonly string[]
}

/**
 * Removes sealed files and caches that an earlier attempt at PC1 left on paths that the chosen worker does not see.
 * Lotus removes them everywhere, and with them layers that could be built on. What nobody here can remove is logged
 * and stays: a worker's own record of what a cache was made from keeps PC2 from building on it.
 * @throws SchedulerError REMOVE_INCOMPLETE, temporary, when a worker that could remove them fails to
 */
export async function removeStaleCopies(
  { index, workers, clock, log }: Surroundings,
  sector: SectorId,
  chosen: ConnectedWorker,
): Promise<void> {
  const { removableBy, outOfReach } = staleCopies(index, sector, chosen, workers)
  const about = { sector: sectorName(sector) }
  for (const { id: worker, hostname, connection } of removableBy) {
    log.info('PC1 runs elsewhere now: what an earlier attempt left is removed', {
      ...about,
      worker,
      hostname,
    })
    const removed = connection.api.Remove(sector)
    await within(removed, REMOVE_MS, clock, hostname).catch((error: unknown) => {
      throw new SchedulerError({
        code: 'REMOVE_INCOMPLETE',
        level: 'temporary',
        message: `PC1: ${hostname} does not remove what an earlier attempt left there: ${describeError(error)}`,
        sector: about.sector,
        cause: error,
      })
    })
  }
  for (const storagePath of outOfReach) {
    const words = 'what an earlier attempt at PC1 left stays: no connected worker can remove it alone'
    log.warn(words, { ...about, storagePath })
  }
}

/**
 * A worker's Remove takes all of the sector that it sees, so it is asked only where nothing else of it lies: the
 * unsealed copy, or what the chosen worker will build on, may be on a path that both see.
 */
function staleCopies(
  index: SectorIndex,
  sector: SectorId,
  chosen: ConnectedWorker,
  workers: readonly ConnectedWorker[],
): StaleCopies {
  const unsealed = FILE_TYPE_BIT.unsealed
  const holdings = index.view().holdings(sector)
  const here = (pathId: string) => chosen.paths.has(pathId)
  const stale = holdings.filter(({ bits, pathId }) => (bits & ~unsealed) !== 0 && !here(pathId))
  const needed = holdings.filter(({ bits, pathId }) => (bits & unsealed) !== 0 || here(pathId))
  const removableBy = workers.filter(
    (worker) =>
      worker.enabled &&
      worker.id !== chosen.id &&
      stale.some(({ pathId }) => worker.paths.has(pathId)) &&
      needed.every(({ pathId }) => !worker.paths.has(pathId)),
  )
  const outOfReach = stale
    .map(({ pathId }) => pathId)
    .filter((pathId) => !removableBy.some((worker) => worker.paths.has(pathId)))
  return { removableBy, outOfReach }
}
