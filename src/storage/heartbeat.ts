import { describeError, isSealyardError } from '../base/errors.ts'
import type { FsStat } from '../protocol/types.ts'
import type { Attachments } from './attachments.ts'
import type { StorageParts } from './parts.ts'
import type { StoragePath } from './storage-path.ts'

/** Of a path that is not there; beside it stands why. */
const NOTHING_SEEN: FsStat = { Capacity: 0, Available: 0, FSAvailable: 0, Reserved: 0, Max: 0, Used: 0 }

/** Tells the index every 10 s how each path is, the account what has landed, and what was not told before. */
export class Heartbeat {
  readonly #parts: StorageParts
  readonly #attachments: Attachments
  readonly #onBack: (path: StoragePath) => void
  /** Paths whose last beat has not ended: a disk that hangs is not asked once more, and holds up no other. */
  readonly #beating = new Set<StoragePath>()
  /** What was said last of a parked path; whoever parks it first need not be the heartbeat. */
  readonly #told = new WeakMap<StoragePath, string>()
  /** Paths whose files are not served now: the path is away. */
  readonly #suspended = new WeakSet<StoragePath>()
  #isTelling = false

  /** @param onBack told of a path that was parked and is the known directory again */
  constructor(parts: StorageParts, attachments: Attachments, onBack: (path: StoragePath) => void) {
    this.#parts = parts
    this.#attachments = attachments
    this.#onBack = onBack
  }

  /** Beats until the node closes. Never throws: a sealer that is away is tried again. */
  async run(): Promise<void> {
    const { clock, closing, settings } = this.#parts
    while (!closing.aborted) {
      await clock.sleep(settings.heartbeatMs, closing).catch(() => undefined)
      if (!closing.aborted) this.#beat()
    }
  }

  /** One beat over all paths; nobody waits for the slowest of them. */
  #beat(): void {
    for (const path of this.#parts.paths.all().filter((each) => !this.#beating.has(each))) {
      this.#beating.add(path)
      void this.#beatPath(path).finally(() => this.#beating.delete(path))
    }
    if (!this.#isTelling) void this.#tell()
  }

  /** What the index and the account have not heard yet. */
  async #tell(): Promise<void> {
    const { declarations, grants, log } = this.#parts
    this.#isTelling = true
    try {
      await declarations.flush()
      await grants.report()
    } catch (error) {
      log.debug('the account of space was not reached', { error: describeError(error) })
    } finally {
      this.#isTelling = false
    }
  }

  async #beatPath(path: StoragePath): Promise<void> {
    await this.#lookAt(path)
    const { index, grants, views, log } = this.#parts
    try {
      const stat = await views.statOf(path, await grants.reservedOn(path)).catch((error: unknown) => {
        // Why it does not answer says more than silence.
        if (path.isAway) return NOTHING_SEEN
        throw error
      })
      await index.StorageReportHealth(path.id, { Stat: stat, Err: path.parked ?? '' })
    } catch (error) {
      log.warn('health of a storage path could not be reported', {
        storagePath: path.id,
        error: describeError(error),
      })
      await this.#introduceAgain(path, error)
    }
  }

  async #lookAt(path: StoragePath): Promise<void> {
    const wasParked = path.parked !== null
    try {
      path.apply(await this.#parts.patience.answerOf(path, () => path.appearance()))
    } catch (error) {
      if (!path.isSilent) throw error
    }
    this.#serveWhatIsThere(path)
    const { parked: change } = path
    if (change === null) {
      if (!wasParked) return
      this.#told.delete(path)
      this.#parts.log.info('storage path is back', { storagePath: path.id, directory: path.directory })
      this.#parts.tiers.forget(path.id)
      this.#parts.engines.forget(path.id)
      this.#onBack(path)
    } else if (change !== this.#told.get(path)) {
      this.#told.set(path, change)
      this.#parts.log.error('storage path is parked: nothing is written to it', {
        storagePath: path.id,
        directory: path.directory,
        change,
      })
    }
  }

  #serveWhatIsThere(path: StoragePath): void {
    const { declarations } = this.#parts
    if (path.isAway === this.#suspended.has(path)) return
    if (path.isAway) {
      this.#suspended.add(path)
      declarations.suspend(path)
    } else {
      this.#suspended.delete(path)
      declarations.resume(path)
    }
  }

  /** An index that does not know the path (its state is new) is told everything again. */
  async #introduceAgain(path: StoragePath, cause: unknown): Promise<void> {
    if (path.isAway || !isUnknownTo(cause)) return
    await this.#attachments.redeclare(path.id, false).catch((error: unknown) => {
      this.#parts.log.warn('a storage path could not be attached anew', {
        storagePath: path.id,
        error: describeError(error),
      })
    })
  }
}

/** Whether the index does not know the path; a lotus miner has no code for it, only words. */
function isUnknownTo(cause: unknown): boolean {
  if (isSealyardError(cause, 'UNKNOWN_PATH')) return true
  return /unknown storage|isn't registered|not found/i.test(describeError(cause))
}
