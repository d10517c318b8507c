import { type FilesystemState, filesystemOf } from '../native/space.ts'
import type { FilesystemView, FsStat } from '../protocol/types.ts'
import type { PathUse } from './disk-use.ts'
import { pathStat } from './path-stat.ts'
import type { Patience } from './patience.ts'
import type { StoragePath } from './storage-path.ts'

/** Fresh looks at the filesystems below this node's paths. */
export class SpaceViews {
  readonly #machine: string
  readonly #use: PathUse
  readonly #patience: Patience

  constructor(machine: string, use: PathUse, patience: Patience) {
    this.#machine = machine
    this.#use = use
    this.#patience = patience
  }

  /** What the account of space is told of one path. */
  async viewOf(path: StoragePath): Promise<FilesystemView> {
    const state = await this.#filesystemOf(path)
    return {
      pathId: path.id,
      machine: this.#machine,
      filesystem: state.filesystem,
      capacityBytes: state.capacityBytes,
      availableBytes: state.availableBytes,
      maxBytes: path.meta.MaxStorage,
      usedBytes: await this.#usedBytes(path),
    }
  }

  /** Views of all paths that answer; a sick one is left out, and so takes no part in this decision. */
  async viewsOf(paths: readonly StoragePath[]): Promise<FilesystemView[]> {
    const views = await Promise.all(paths.map((path) => this.viewOf(path).catch(() => null)))
    return views.filter((view) => view !== null)
  }

  /**
   * The field's stat of a path, with what is reserved on it.
   * @throws StorageError PATH_PARKED when it is not there
   */
  async statOf(
    path: StoragePath,
    reserved: readonly { reportedBytes: number; onDiskBytes: number }[],
  ): Promise<FsStat> {
    const { capacityBytes, availableBytes } = await this.#filesystemOf(path)
    const usedBytes = await this.#usedBytes(path)
    return pathStat({ capacityBytes, availableBytes, reserved, maxBytes: path.meta.MaxStorage, usedBytes })
  }

  /** Below an unmounted path lies another filesystem, whose numbers look healthy: asked before and after. */
  #filesystemOf(path: StoragePath): Promise<FilesystemState> {
    return this.#patience.answerOf(path, async () => {
      await path.assertPresent()
      const state = await filesystemOf(path.directory)
      await path.assertPresent()
      return state
    })
  }

  async #usedBytes(path: StoragePath): Promise<number> {
    return path.meta.MaxStorage > 0 ? this.#use.usedBytes(path) : 0
  }
}
