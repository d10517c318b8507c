import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Layers of PC1 as they lie on a seal path. A layer has its final name only when it is whole, and hours of work are
 * in it: it must stay the file that it is, whoever dies, until its sector is finalized.
 */
export class LayerWatch {
  readonly #sealPath: string
  readonly #seen = new Map<string, string>()
  /** Layers that were made a second time. */
  readonly madeAgain: string[] = []
  /** Looks that found a layer that was known. */
  kept = 0

  constructor(sealPath: string) {
    this.#sealPath = sealPath
  }

  async look(): Promise<void> {
    const caches = join(this.#sealPath, 'cache')
    for (const sector of await readdir(caches).catch(() => [])) {
      if (!/^s-t\d+-\d+$/.test(sector)) continue
      const names = await readdir(join(caches, sector)).catch(() => [])
      for (const name of names.filter((each) => /^sc-02-data-layer-\d+\.dat$/.test(each))) {
        await this.#compare(join(caches, sector, name))
      }
    }
  }

  async #compare(layer: string): Promise<void> {
    const now = await stat(layer, { bigint: true }).catch(() => null)
    if (now === null) return
    const identity = `${now.ino} ${now.mtimeNs}`
    const before = this.#seen.get(layer)
    this.#seen.set(layer, identity)
    if (before === undefined) return
    if (before === identity) this.kept += 1
    else this.madeAgain.push(layer)
  }
}
