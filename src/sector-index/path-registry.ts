import type { Clock } from '../base/clock.ts'
import type { FsStat, HealthReport, StorageInfo } from '../protocol/types.ts'
import { FILE_TYPES } from '../sectors/file-types.ts'
import type { PathView } from './path-view.ts'

/** Nodes report each path every 10 s; after five missed reports a path is stale (lotus-compat 3.1). */
export const STALE_AFTER_MS = 50_000

interface Known {
  readonly position: number
  info: Omit<StorageInfo, 'URLs'>
  /** URL → whether a node has named it in this run; in order of attachment. */
  readonly urls: Map<string, boolean>
  stat: FsStat | null
  seenAtMs: number | null
  error: string
}

/** The storage paths of the cluster, in memory: descriptions, URLs, health. */
export class PathRegistry {
  readonly #paths = new Map<string, Known>()
  readonly #clock: Clock
  readonly #startedAtMs: number
  #nextPosition = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startedAtMs = clock.monotonicMs()
  }

  has(id: string): boolean {
    return this.#paths.has(id)
  }

  /** Takes a path from the state of an earlier run: known, but nobody has spoken for it yet. */
  restore(info: StorageInfo, position: number): void {
    const { URLs, ...rest } = info
    const urls = new Map(URLs.map((url) => [url, false]))
    this.#paths.set(info.ID, { position, info: rest, urls, stat: null, seenAtMs: null, error: '' })
    this.#nextPosition = Math.max(this.#nextPosition, position + 1)
  }

  /**
   * The newcomer's description wins, its URLs are added. Attaching counts as a sign of life: in lotus only for a
   * new ID, but there no ID outlives a restart.
   * @returns the position, for the state
   */
  attach(info: StorageInfo, stat: FsStat): number {
    const { URLs, ...rest } = info
    const known: Known = this.#paths.get(info.ID) ?? {
      position: this.#nextPosition++,
      info: rest,
      urls: new Map(),
      stat,
      seenAtMs: null,
      error: '',
    }
    known.info = {
      ...rest,
      AllowTypes: rest.AllowTypes.filter(isKnownType),
      DenyTypes: rest.DenyTypes.filter(isKnownType),
    }
    for (const url of URLs) known.urls.set(url, true)
    known.stat = stat
    known.seenAtMs = this.#clock.monotonicMs()
    known.error = ''
    this.#paths.set(info.ID, known)
    return known.position
  }

  /**
   * A URL that only an earlier run of the sealer knew does not keep a path in the index whose last living node has
   * left it.
   * @returns how many URLs are left, or null when the path has one URL and it is another
   */
  detach(id: string, url: string): number | null {
    const known = this.#paths.get(id)
    if (known === undefined) return 0
    if (!known.urls.has(url) && this.#urlsOf(known).length <= 1) return null
    const wasNamed = known.urls.get(url) === true
    known.urls.delete(url)
    const isLeft = wasNamed && this.#isWaitOver() && ![...known.urls.values()].includes(true)
    const left = isLeft ? 0 : known.urls.size
    if (left === 0) this.#paths.delete(id)
    return left
  }

  /** @returns whether the path can be used now and could not before, or the other way round; null when unknown */
  report(id: string, report: HealthReport): boolean | null {
    const known = this.#paths.get(id)
    if (known === undefined) return null
    const before = this.#unusable(known) === null
    known.stat = report.Stat
    known.error = report.Err
    known.seenAtMs = this.#clock.monotonicMs()
    return before !== (this.#unusable(known) === null)
  }

  info(id: string): StorageInfo | null {
    const known = this.#paths.get(id)
    return known === undefined ? null : this.#infoOf(known)
  }

  position(id: string): number {
    return this.#paths.get(id)?.position ?? 0
  }

  ids(): string[] {
    return [...this.#paths.keys()]
  }

  /** In order of first attachment. */
  views(): PathView[] {
    const now = this.#clock.monotonicMs()
    return [...this.#paths.values()].map((known) => ({
      info: this.#infoOf(known),
      stat: known.stat,
      heartbeatAgeMs: known.seenAtMs === null ? null : now - known.seenAtMs,
      unusable: this.#unusable(known),
    }))
  }

  /**
   * A URL that only the state remembers is offered until the nodes have had time to come back; then those that
   * came back are the truth (a node may have moved to another port).
   */
  #urlsOf(known: Known): string[] {
    const confirmed = [...known.urls].filter(([, named]) => named).map(([url]) => url)
    return confirmed.length > 0 && this.#isWaitOver() ? confirmed : [...known.urls.keys()]
  }

  #isWaitOver(): boolean {
    return this.#clock.monotonicMs() - this.#startedAtMs > STALE_AFTER_MS
  }

  #infoOf(known: Known): StorageInfo {
    return { ...known.info, URLs: this.#urlsOf(known) }
  }

  #unusable(known: Known): string | null {
    if (known.error !== '') return `it reports: ${known.error}`
    if (known.seenAtMs === null) return 'no node has reported it since the sealer started'
    const ageMs = this.#clock.monotonicMs() - known.seenAtMs
    return ageMs > STALE_AFTER_MS ? `no heartbeat for ${Math.round(ageMs / 1000)} s` : null
  }
}

function isKnownType(word: string): boolean {
  return (FILE_TYPES as readonly string[]).includes(word)
}
