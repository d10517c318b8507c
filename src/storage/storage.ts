import { join } from 'node:path'
import { describeError } from '../base/errors.ts'
import { Mover } from '../native/mover.ts'
import type {
  CopyEngines,
  FetchLimitsNow,
  FsStat,
  InterruptedMove,
  PathTier,
  QuarantinedFile,
  Transfer,
  WorkerPath,
} from '../protocol/types.ts'
import { type FileTypeBits, fileTypesOf, type SectorFileType } from '../sectors/file-types.ts'
import type { SectorId, SectorRef } from '../sectors/sector-id.ts'
import type { PathKind } from '../sectors/space-tables.ts'
import { acquireFiles } from './acquire.ts'
import { Attachments } from './attachments.ts'
import type { CacheRecords } from './cache-records.ts'
import { asStorageError, storageError } from './errors.ts'
import { Fetcher, type FetchMode } from './fetch-sector.ts'
import { formerUrl, keepUrl } from './former-url.ts'
import { gatherParts, type StorageOptions } from './gather-parts.ts'
import { Heartbeat } from './heartbeat.ts'
import { forgetOldDownloads } from './leftovers.ts'
import { moveToStore } from './move-to-store.ts'
import type { AcquiredFiles, AcquireRequest, LocalFile, NodeStorage } from './node-storage.ts'
import { findFile, isAllocated, serveFoundFile } from './own-files.ts'
import type { StorageParts } from './parts.ts'
import { listQuarantine, removeQuarantined, restoreQuarantined } from './quarantine.ts'
import { Recovery } from './recovery.ts'
import { type RemoveOptions, removeFiles } from './remove-files.ts'
import { StorageJson } from './storage-json.ts'
import type { StoragePath } from './storage-path.ts'
import { PathWatch } from './watch-paths.ts'

export type { StorageOptions }

/** How much the time between two reconciles varies, so that nodes that started together do not ask together. */
const JITTER = 0.2

/**
 * This machine's storage paths, put together.
 *
 *     open() ──► open ──close()──► closing ──journeys ended, or the deadline──► closed
 *
 * A path that cannot be opened does not keep the others from it; the reconcile tries it again.
 */
export class Storage implements NodeStorage {
  readonly records: CacheRecords
  readonly #parts: StorageParts
  readonly #attachments: Attachments
  readonly #json: StorageJson
  readonly #fetcher: Fetcher
  readonly #closing: AbortController
  readonly #cancelling: AbortController
  readonly #journeys = new Set<Promise<unknown>>()
  #loops: Promise<void>[] = []
  #watch: PathWatch | null = null
  #recovery: Recovery | null = null
  #isSettled = false

  private constructor(
    parts: StorageParts,
    json: StorageJson,
    attachments: Attachments,
    closing: AbortController,
    cancelling: AbortController,
  ) {
    this.#parts = parts
    this.#json = json
    this.#closing = closing
    this.#cancelling = cancelling
    this.records = parts.records
    this.#attachments = attachments
    this.#fetcher = new Fetcher(parts)
  }

  /**
   * Opens the journal of moves and every path of `storage.json`, ends what a stop interrupted, and begins to
   * report, watch and reconcile.
   * @throws StorageError IO when the journal is corrupt or in use
   */
  static async open(options: StorageOptions): Promise<Storage> {
    const journal = join(options.repo, 'moves.journal')
    const mover = await Mover.open(journal, { copyEngine: options.settings.copyEngine }).catch(
      (cause: unknown) => {
        throw asStorageError(cause, `the journal of moves ${journal} cannot be opened`)
      },
    )
    const closing = new AbortController()
    const cancelling = new AbortController()
    const parts = gatherParts(options, mover, closing.signal, cancelling.signal)
    const { repo, url } = options
    const json = new StorageJson(repo)
    const attachments = new Attachments(parts, json, await formerUrl(repo, url))
    const storage = new Storage(parts, json, attachments, closing, cancelling)
    try {
      await storage.#start()
      await keepUrl(repo, url)
      // Now, so that the log of a start says what this host can do.
      await storage.copyEngines()
      return storage
    } catch (error) {
      await storage.close(0)
      throw error
    }
  }

  localPaths(): Record<string, string> {
    return Object.fromEntries(this.#parts.paths.all().map(({ id, directory }) => [id, directory]))
  }

  workerPaths(): WorkerPath[] {
    return this.#parts.paths.all().map(({ id, directory, meta }) => ({
      ID: id,
      Weight: meta.Weight,
      LocalPath: directory,
      CanSeal: meta.CanSeal,
      CanStore: meta.CanStore,
    }))
  }

  async attach(directory: string): Promise<void> {
    await this.#attachments.attach(directory)
    this.#watch?.follow()
  }

  async detach(directory: string): Promise<void> {
    await this.#attachments.detach(directory)
    this.#watch?.follow()
  }

  async detachAll(): Promise<void> {
    await this.#attachments.detachAll()
    this.#watch?.follow()
  }

  redeclare(pathId: string | null, dropMissing: boolean): Promise<void> {
    return this.#attachments.redeclare(pathId, dropMissing)
  }

  async stat(pathId: string): Promise<FsStat> {
    const { paths, views, grants } = this.#parts
    const path = paths.get(pathId)
    const stat = await views.statOf(path, await grants.reservedOn(path))
    // Read-only: its numbers are true, but who looks at them would believe that work may go there.
    if (path.parked !== null) throw path.parkedError()
    return stat
  }

  tiers(): Promise<PathTier[]> {
    return this.#parts.tiers.list(this.#parts.paths.usable())
  }

  copyEngines(): Promise<CopyEngines> {
    return this.#parts.engines.list(this.#parts.paths.usable())
  }

  transfers(): Transfer[] {
    return this.#parts.transfers.list()
  }

  fetchLimits(): FetchLimitsNow {
    return this.#fetcher.limits.now()
  }

  setFetchLimits(limits: FetchLimitsNow): void {
    this.#fetcher.limits.set(limits)
    this.#parts.log.info('limits of downloads were changed', { ...limits })
  }

  acquire(request: AcquireRequest): Promise<AcquiredFiles> {
    return this.#journey(() => acquireFiles(this.#parts, this.#fetcher, request))
  }

  fetch(
    sector: SectorRef,
    bits: FileTypeBits,
    kind: PathKind,
    mode: FetchMode,
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#journey(async () => {
      for (const type of fileTypesOf(bits)) await this.#fetcher.fetch(sector, type, kind, mode, signal)
    })
  }

  moveToStore(sector: SectorRef, bits: FileTypeBits, signal?: AbortSignal): Promise<void> {
    const until = AbortSignal.any([this.#cancelling.signal, ...(signal === undefined ? [] : [signal])])
    return this.#journey(() => moveToStore(this.#parts, this.#fetcher, sector, bits, until))
  }

  remove(
    sector: SectorId,
    type: SectorFileType,
    keep: readonly string[],
    options: RemoveOptions = { quarantineLastStoreCopy: false },
  ): Promise<void> {
    return this.#journey(() => removeFiles(this.#parts, sector, type, keep, options))
  }

  find(type: SectorFileType, sector: SectorId): Promise<LocalFile | null> {
    return findFile(this.#parts, type, sector)
  }

  serveFound(type: SectorFileType, sector: SectorId): Promise<boolean> {
    return serveFoundFile(this.#parts, type, sector)
  }

  allocated(sector: SectorRef, offset: number, size: number): Promise<boolean> {
    return isAllocated(this.#parts, sector, offset, size)
  }

  quarantine(): Promise<QuarantinedFile[]> {
    return listQuarantine(this.#parts)
  }

  restoreQuarantined(name: string): Promise<string> {
    return this.#journey(() => restoreQuarantined(this.#parts, name))
  }

  removeQuarantined(name: string): Promise<number> {
    return this.#journey(() => removeQuarantined(this.#parts, name))
  }

  interruptedMoves(): InterruptedMove[] {
    return this.#recovery?.list() ?? []
  }

  async settleMove(op: string): Promise<void> {
    await this.#recovery?.settle(op)
  }

  async introduceAgain(): Promise<void> {
    const { paths, grants, log } = this.#parts
    await this.#settle()
    // A list that an operator is about to correct must not keep the worker from its sealer.
    await this.#attachments.followStorageJson().catch((error: unknown) => {
      log.error('the list of storage paths cannot be followed; those that are open are kept', {
        error: describeError(error),
      })
    })
    this.#watch?.follow()
    for (const path of paths.present()) {
      await this.#attachments.redeclare(path.id, false).catch((error: unknown) => {
        log.warn('a storage path could not be introduced to the sealer', {
          storagePath: path.id,
          error: describeError(error),
        })
      })
    }
    await grants.announce()
    await this.#recovery?.run()
  }

  async close(deadlineMs: number): Promise<void> {
    const { clock, mover, log } = this.#parts
    this.#closing.abort(new Error('this node is stopping'))
    await this.#watch?.close()
    const ended = Promise.allSettled(this.#journeys)
    const waiting = new AbortController()
    const deadline = clock.sleep(deadlineMs, waiting.signal).catch(() => undefined)
    await Promise.race([ended, deadline])
    waiting.abort()
    if (this.#journeys.size > 0)
      log.warn('transfers are cut: the time to stop is over', { transfers: this.#journeys.size })
    this.#cancelling.abort(new Error('this node has stopped'))
    await ended
    await Promise.all(this.#loops)
    mover.close()
  }

  async #start(): Promise<void> {
    const { mover } = this.#parts
    // Before anything moves: the mover discards what it left half copied, and says what is to be ended.
    const interrupted = await mover.recover().catch((cause: unknown) => {
      throw asStorageError(cause, 'interrupted moves cannot be recovered')
    })
    await this.#settle()
    await this.#json.ensure()
    await this.#attachments.followStorageJson()
    this.#recovery = new Recovery(this.#parts, interrupted)
    await this.#recovery.run()
    this.#watch = new PathWatch(this.#parts, this.#attachments, this.#json.file)
    const heartbeat = new Heartbeat(this.#parts, this.#attachments, (path) => this.#lookAgain(path))
    this.#loops = [heartbeat.run(), this.#reconcile()]
  }

  /** A path that was away and is back: watched from now on, and looked at once, for nobody told what happened there. */
  #lookAgain(path: StoragePath): void {
    this.#watch?.again(path)
    void this.#attachments.rescanAll(path)
  }

  /** What was granted to an earlier run is given back, once the account can be reached. */
  async #settle(): Promise<void> {
    if (this.#isSettled) return
    try {
      await this.#parts.grants.settle()
      this.#isSettled = true
    } catch (error) {
      this.#parts.log.warn('space of an earlier run could not be given back yet', {
        error: describeError(error),
      })
    }
  }

  async #reconcile(): Promise<void> {
    const { clock, closing, settings, log } = this.#parts
    while (!closing.aborted) {
      const jitter = 1 + JITTER * (2 * Math.random() - 1)
      await clock.sleep(settings.reconcileMs * jitter, closing).catch(() => undefined)
      if (closing.aborted) return
      try {
        await this.#settle()
        await this.#attachments.reconcile()
        for (const path of this.#parts.paths.usable()) await forgetOldDownloads(this.#parts, path)
        this.#watch?.follow()
        await this.#recovery?.run()
      } catch (error) {
        log.warn('the paths could not be compared with the index', { error: describeError(error) })
      }
    }
  }

  /** Work that a stop waits for. */
  async #journey<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) {
      throw storageError({
        code: 'BUSY',
        level: 'temporary',
        message: 'this node is stopping: nothing new is begun',
      })
    }
    const journey = work()
    this.#journeys.add(journey)
    try {
      return await journey
    } finally {
      this.#journeys.delete(journey)
    }
  }
}
