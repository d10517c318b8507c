import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { type CopyEngine, type MoverOptions, probeCopyEngines } from '../native/mover.ts'
import type { CopyEngines } from '../protocol/types.ts'
import type { Patience } from './patience.ts'
import type { StoragePath } from './storage-path.ts'

/** The ways to copy that work on each path of this node, found by trying once: kernels, containers and filesystems differ. */
export class PathEngines {
  readonly #known = new Map<string, Promise<CopyEngine[]>>()
  readonly #chosen: MoverOptions['copyEngine']
  readonly #patience: Patience
  readonly #log: Logger

  constructor(chosen: MoverOptions['copyEngine'], patience: Patience, log: Logger) {
    this.#chosen = chosen
    this.#patience = patience
    this.#log = log
  }

  /** A path that cannot be tried (full, read-only, silent) has none until it can. */
  async #of(path: StoragePath): Promise<CopyEngine[]> {
    const known = this.#known.get(path.id)
    if (known !== undefined) return known
    const tried = this.#patience
      .answerOf(path, () => probeCopyEngines(path.directory))
      .then(
        (engines) => {
          this.#log.info('ways to copy tried', { path: path.id, engines, chosen: this.#chosen })
          return engines
        },
        (error: unknown) => {
          this.#known.delete(path.id)
          this.#log.debug('ways to copy could not be tried', { path: path.id, error: describeError(error) })
          return []
        },
      )
    this.#known.set(path.id, tried)
    return tried
  }

  async list(paths: readonly StoragePath[]): Promise<CopyEngines> {
    const found = await Promise.all(
      paths.map(async (path) => ({ id: path.id, engines: await this.#of(path) })),
    )
    return { chosen: this.#chosen, paths: found }
  }

  /** A path came, went or was mounted anew: it is tried again. */
  forget(pathId: string): void {
    this.#known.delete(pathId)
  }
}
