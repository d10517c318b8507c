import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { probeTier } from '../native/mover.ts'
import type { PathTier, Tier } from '../protocol/types.ts'
import type { StoragePath } from './storage-path.ts'

/**
 * What a move between each two paths of this node costs, found by trying once: `st_dev` lies both ways
 * (bind mounts refuse a rename inside one device, btrfs subvolumes clone across two).
 */
export class Tiers {
  readonly #known = new Map<string, Promise<Tier>>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** A pair that cannot be tried (parked, read-only) counts as a copy until it can. */
  async between(from: StoragePath, to: StoragePath): Promise<Tier> {
    if (from.id === to.id) return 'in-place'
    const pair = `${from.id} ${to.id}`
    const known = this.#known.get(pair)
    if (known !== undefined) return known
    const tried = probeTier(from.directory, to.directory).catch((error: unknown) => {
      this.#known.delete(pair)
      this.#log.debug('tier could not be tried', { from: from.id, to: to.id, error: describeError(error) })
      return 'copy' as const
    })
    this.#known.set(pair, tried)
    return tried
  }

  async list(paths: readonly StoragePath[]): Promise<PathTier[]> {
    const pairs = paths.flatMap((from) => paths.map((to) => ({ from, to })))
    return Promise.all(
      pairs.map(async ({ from, to }) => ({ from: from.id, to: to.id, tier: await this.between(from, to) })),
    )
  }

  /** A path came, went or was mounted anew: its pairs are tried again. */
  forget(pathId: string): void {
    for (const pair of this.#known.keys()) {
      if (pair.split(' ').includes(pathId)) this.#known.delete(pair)
    }
  }
}
