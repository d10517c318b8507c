import pRetry from 'p-retry'
import { describeError } from '../base/errors.ts'
import { FILE_TYPE_BIT, type SectorFileType } from '../sectors/file-types.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { neededSpace, type PathKind, reportedSpace } from '../sectors/space-tables.ts'
import { download, FIRST_RETRY_MS } from './download.ts'
import { DownloadLimits } from './download-limits.ts'
import { asStorageError, type StorageError, storageError } from './errors.ts'
import { asFetchFailure, isWorthRetry, noSourceGave } from './fetch-failures.ts'
import { findSources, keptFirst, removeAtSource, type Source } from './fetch-sources.ts'
import { HolderSpeeds } from './holder-speeds.ts'
import { downloadPlace, keptFrom } from './kept-download.ts'
import { storeTypes } from './move-sector.ts'
import type { StorageParts } from './parts.ts'
import { firstSound, fits, noRoom, rankedPaths } from './path-choice.ts'
import type { StoragePath } from './storage-path.ts'

export type FetchMode = 'move' | 'copy'

/** Rounds over all sources before a fetch is given up. */
const RETRIES = 2

/** One sector file that this node lacks. */
interface Job {
  readonly sector: SectorRef
  readonly type: SectorFileType
  readonly kind: PathKind
  readonly signal: AbortSignal
}

/** Brings sector files from where they lie to a path of this node, a few at a time, each only once at a time. */
export class Fetcher {
  readonly #parts: StorageParts
  readonly #speeds = new HolderSpeeds()
  readonly limits: DownloadLimits

  constructor(parts: StorageParts) {
    this.#parts = parts
    this.limits = new DownloadLimits(parts.settings)
  }

  /**
   * Nothing where the file lies here already (a second caller waits for the first and finds it); else a local
   * copy, else a download. `move` removes the source once the target is durable and declared.
   * @throws StorageError NOT_HELD when nobody has it, NO_SPACE, NO_PATH, FETCH_FAILED
   */
  async fetch(
    sector: SectorRef,
    type: SectorFileType,
    kind: PathKind,
    mode: FetchMode,
    signal?: AbortSignal,
  ): Promise<void> {
    const job = { sector, type, kind, signal: anySignal(signal, this.#parts.cancelling) }
    await this.#parts.locks.run(`${type}/${sectorName(sector.ID)}`, async () => {
      const here = await this.#parts.paths.holdersOf(type, sector.ID)
      if (here.length === 0) return this.#download(job, mode)
      // What lies here can be read where it is; only the store asks for more.
      if (kind === 'sealing' || here.some((path) => path.meta.CanStore || fits(path, job))) return
      await storeTypes(this.#parts, sector, [type], mode === 'copy', job.signal)
    })
  }

  async #download(job: Job, mode: FetchMode): Promise<void> {
    const { sector, type } = job
    const parts = this.#parts
    const sources = await findSources(parts, sector, type)
    if (sources.length === 0) throw nobodyHas(job)
    const { target, giveBack } = await this.#reserve(job)
    const stopMaking = target.startMaking(type, sector.ID)
    try {
      const source = await this.#fromAny(job, target, sources)
      const primary = target.meta.CanStore
      if (mode === 'copy') await parts.declarations.declare(target, type, sector.ID, primary)
      else {
        await parts.declarations.declareSurely(target, type, sector.ID, primary, parts.closing)
        await removeAtSource(parts, source, target, sector.ID)
      }
    } finally {
      stopMaking()
      await giveBack()
    }
  }

  /** The best path with room; one that is refused is passed over. */
  async #reserve(job: Job): Promise<{ target: StoragePath; giveBack: () => Promise<void> }> {
    const { sector, type, kind } = job
    const proof = sealProof(sector.ProofType)
    const neededBytes = neededSpace(type, proof, kind)
    const reportedBytes = reportedSpace(type, proof.sectorSize, kind)
    const ranked = await keptPathsFirst(this.#parts, job, await this.#targets(job))
    let refusal: unknown = noRoom(job)
    for (const path of ranked) {
      const target = await firstSound(this.#parts, [path])
      if (target === null) continue
      try {
        const wants = [{ what: type, path: target, neededBytes, reportedBytes }]
        return { target, giveBack: await this.#parts.grants.reserve('FETCH', sector.ID, wants) }
      } catch (error) {
        if ((error as StorageError).code !== 'NO_SPACE') throw error
        refusal = error
      }
    }
    throw refusal
  }

  /** For sealing, only paths in a group that the holders' files may go to: the index knows them. */
  async #targets(job: Job): Promise<StoragePath[]> {
    const ranked = await rankedPaths(this.#parts, job)
    if (job.kind !== 'sealing' || ranked.length === 0) return ranked
    const { sectorSize } = sealProof(job.sector.ProofType)
    const allowed = await this.#parts.index
      .StorageFindSector(job.sector.ID, FILE_TYPE_BIT[job.type], sectorSize, true)
      .catch((cause: unknown) => {
        throw asStorageError(cause, 'the index did not say where a file may go', { sector: job.sector.ID })
      })
    const ids = new Set(allowed.map((path) => path.ID))
    return ranked.filter((path) => ids.has(path.id))
  }

  /** All sources in turn, and again after a pause as long as that may help. @returns the one that gave it */
  async #fromAny(job: Job, target: StoragePath, sources: readonly Source[]): Promise<Source> {
    const minTimeout = this.#parts.settings.fetchRetryMs ?? FIRST_RETRY_MS
    return pRetry(() => this.#oneRound(job, target, sources), {
      retries: RETRIES,
      minTimeout,
      randomize: true,
      signal: job.signal,
      shouldRetry: ({ error }) => isWorthRetry(error),
    })
  }

  async #oneRound(job: Job, target: StoragePath, sources: readonly Source[]): Promise<Source> {
    const { sector, type, signal } = job
    const tools = { parts: this.#parts, limits: this.limits, speeds: this.#speeds }
    const place = downloadPlace(this.#parts.operations, target, type, sector.ID)
    const ordered = keptFirst(this.#parts, sources, await keptFrom(place))
    const failures: StorageError[] = []
    for (const [at, source] of ordered.entries()) {
      try {
        const others = ordered.slice(at + 1)
        await this.limits.run(() => download(tools, { sector, type, target, source, others, signal }), signal)
        return source
      } catch (cause) {
        signal.throwIfAborted()
        const failure = asFetchFailure(cause, source, sector.ID)
        this.#parts.log.warn('a source did not give a sector file', {
          sector: sectorName(sector.ID),
          type,
          url: source.url,
          error: describeError(failure),
        })
        // Our own disk is full or sick: another source would not help.
        if (failure.code !== 'FETCH_FAILED' && failure.code !== 'INCOMPLETE' && failure.code !== 'NOT_HELD')
          throw failure
        failures.push(failure)
      }
    }
    throw noSourceGave(failures, type, sector.ID)
  }
}

/** A path on which a cut download of the file lies goes before the others: it goes on there. */
async function keptPathsFirst(
  parts: StorageParts,
  { sector, type }: Job,
  ranked: readonly StoragePath[],
): Promise<StoragePath[]> {
  const kept = await Promise.all(
    ranked.map((path) => keptFrom(downloadPlace(parts.operations, path, type, sector.ID))),
  )
  const has = (url: string | null | undefined) => url !== null && url !== undefined
  return [...ranked.filter((_path, at) => has(kept[at])), ...ranked.filter((_path, at) => !has(kept[at]))]
}

function anySignal(mine: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return mine === undefined ? other : AbortSignal.any([mine, other])
}

function nobodyHas({ sector, type }: Job): StorageError {
  return storageError({
    code: 'NOT_HELD',
    level: 'permanent',
    message: `no other node has ${type} of ${sectorName(sector.ID)}`,
    sector: sector.ID,
  })
}
