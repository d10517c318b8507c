import { describeError } from '../base/errors.ts'
import type { Attachments } from './attachments.ts'
import type { StorageParts } from './parts.ts'
import { changeOf } from './path-identity.ts'
import type { StoragePath } from './storage-path.ts'

/** Tells the index every 10 s how each path is, the account what has landed, and what was not told before. */
export class Heartbeat {
  readonly #parts: StorageParts
  readonly #attachments: Attachments

  constructor(parts: StorageParts, attachments: Attachments) {
    this.#parts = parts
    this.#attachments = attachments
  }

  /** Beats until the node closes. Never throws: a sealer that is away is tried again. */
  async run(): Promise<void> {
    const { clock, closing, settings } = this.#parts
    while (!closing.aborted) {
      await clock.sleep(settings.heartbeatMs, closing).catch(() => undefined)
      if (!closing.aborted) await this.beat()
    }
  }

  /** One beat over all paths. */
  async beat(): Promise<void> {
    const { paths, declarations, grants, log } = this.#parts
    await Promise.all(paths.all().map((path) => this.#beatPath(path)))
    try {
      await declarations.flush()
      await grants.report()
    } catch (error) {
      log.debug('the account of space was not reached', { error: describeError(error) })
    }
  }

  async #beatPath(path: StoragePath): Promise<void> {
    await this.#lookAt(path)
    const { index, grants, views, log } = this.#parts
    try {
      const stat = await views.statOf(path, await grants.reservedOn(path))
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
    const change = await changeOf(path.directory, path.identity)
    if (change === path.parked) return
    if (change === null) {
      this.#parts.log.info('storage path is back', { storagePath: path.id, directory: path.directory })
      this.#parts.tiers.forget(path.id)
    } else {
      this.#parts.log.error('storage path is parked: nothing is written to it', {
        storagePath: path.id,
        directory: path.directory,
        change,
      })
    }
    path.parked = change
  }

  /** An index that does not know the path (its state is new) is told everything again. */
  async #introduceAgain(path: StoragePath, cause: unknown): Promise<void> {
    if (!/unknown storage|isn't registered|not found/i.test(describeError(cause)) || path.parked !== null)
      return
    await this.#attachments.redeclare(path.id, false).catch((error: unknown) => {
      this.#parts.log.warn('a storage path could not be attached anew', {
        storagePath: path.id,
        error: describeError(error),
      })
    })
  }
}
