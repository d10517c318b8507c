import type { Declaration } from '../protocol/types.ts'
import type { FileTypeBits } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import type { Holding } from './path-view.ts'

interface Held {
  readonly sector: SectorId
  bits: FileTypeBits
  primaryBits: FileTypeBits
}

/** Who holds what, in memory, looked up by sector and by path. */
export class Holdings {
  readonly #byPath = new Map<string, Map<string, Held>>()
  readonly #bySector = new Map<string, Map<string, Held>>()

  /** Idempotent; `primary` can be raised, never lowered, as in lotus. */
  add(pathId: string, sector: SectorId, bits: FileTypeBits, primary: boolean): void {
    const name = sectorName(sector)
    const known = this.#byPath.get(pathId)?.get(name)
    const held = known ?? { sector: { Miner: sector.Miner, Number: sector.Number }, bits: 0, primaryBits: 0 }
    held.bits |= bits
    if (primary) held.primaryBits |= bits
    if (known !== undefined) return
    put(this.#byPath, pathId, name, held)
    put(this.#bySector, name, pathId, held)
  }

  remove(pathId: string, sector: SectorId, bits: FileTypeBits): void {
    const name = sectorName(sector)
    const held = this.#byPath.get(pathId)?.get(name)
    if (held === undefined) return
    held.bits &= ~bits
    held.primaryBits &= ~bits
    if (held.bits !== 0) return
    take(this.#byPath, pathId, name)
    take(this.#bySector, name, pathId)
  }

  removePath(pathId: string): void {
    for (const name of this.#byPath.get(pathId)?.keys() ?? []) take(this.#bySector, name, pathId)
    this.#byPath.delete(pathId)
  }

  of(sector: SectorId): Holding[] {
    const held = this.#bySector.get(sectorName(sector))
    return [...(held ?? [])].map(([pathId, { bits, primaryBits }]) => ({ pathId, bits, primaryBits }))
  }

  /** Sorted by sector, for listings. */
  on(pathId: string): Declaration[] {
    return [...(this.#byPath.get(pathId)?.values() ?? [])]
      .sort((a, b) => a.sector.Miner - b.sector.Miner || a.sector.Number - b.sector.Number)
      .map(({ sector, bits }) => ({ Miner: sector.Miner, Number: sector.Number, SectorFileType: bits }))
  }
}

type Nested = Map<string, Map<string, Held>>

function put(outer: Nested, outerKey: string, innerKey: string, held: Held): void {
  const inner = outer.get(outerKey) ?? new Map<string, Held>()
  inner.set(innerKey, held)
  outer.set(outerKey, inner)
}

function take(outer: Nested, outerKey: string, innerKey: string): void {
  const inner = outer.get(outerKey)
  inner?.delete(innerKey)
  if (inner?.size === 0) outer.delete(outerKey)
}
