import { addon } from './addon.ts'

export interface FetchOptions {
  /** `http://host:port/remote/<type>/<name>` */
  url: string
  token: string | null
  /** private temporary file or directory to make; its parent must exist. Without a record it must not exist */
  target: string
  /**
   * Path beside `target`, where is kept how far it is: a fetch that fails then leaves what the next one from the same
   * URL goes on from. Remove it once `target` has its final name. Null: a failure leaves nothing.
   */
  record?: string | null
  kind: 'file' | 'directory'
  /** length that a single file must have */
  expectedBytes?: number | null
  /** BLAKE3 hash that a single file must have, hexadecimal; the file is read back for it */
  expectedHash?: string | null
  limits?: FetchLimits
  /** no byte for this long ends the fetch; 60,000 */
  progressTimeoutMs?: number
}

/** A complete download, fsynced below `target`. The rename to its final name is the mover's. */
export interface Fetched {
  bytes: number
  /** those of them that an earlier fetch had brought */
  bytesResumed: number
  /** what was written; for a file one entry with an empty name */
  files: { name: string; size: number }[]
  seconds: number
  etag: string | null
}

/**
 * `not-here`: 404, or 500 as the field answers it; `incomplete`: framing or archive ended early;
 * `refused-name`: the archive held what no cache directory holds; `damaged`: another hash than was expected.
 */
export type FetchErrorCode =
  | 'not-here'
  | 'unauthorized'
  | 'incomplete'
  | 'network'
  | 'refused-name'
  | 'timeout'
  | 'io'
  | 'damaged'
  | 'cancelled'
  | 'interrupted'

interface FetchFailure {
  code: FetchErrorCode
  detail: string
  status: number | null
  errno: number | null
  path: string | null
  bytesDone: number
  bytesKept: number
}

/** A download that did not complete; nothing is left at the target but what was to be kept. */
export class FetchError extends Error {
  readonly code: FetchErrorCode
  /** HTTP status, when there was an answer */
  readonly status: number | null
  readonly errno: number | null
  readonly path: string | null
  readonly bytesDone: number
  /** durable, for the next download from the same URL */
  readonly bytesKept: number

  constructor(failure: FetchFailure) {
    super(failure.detail)
    this.name = 'FetchError'
    this.code = failure.code
    this.status = failure.status
    this.errno = failure.errno
    this.path = failure.path
    this.bytesDone = failure.bytesDone
    this.bytesKept = failure.bytesKept
  }
}

/** Bytes per second that the downloads which share it may receive; none at first. */
export class FetchLimits {
  /** @internal */
  readonly native = new addon.FetchLimits()

  /** Running downloads follow at once. Null: no limit. */
  set(limits: { bytesPerSecond: number | null; bytesPerSecondPerPeer: number | null }): void {
    this.native.set(limits)
  }
}

export interface FetchProgress {
  /** bytes that are here, those of an earlier fetch included */
  doneBytes: number
  /** null until the answer told it */
  totalBytes: number | null
  /** time in which we did not want to receive: paused, or at a limit */
  heldBackMs: number
}

interface NativeFetch {
  run(): Promise<({ outcome: 'fetched' } & Fetched) | ({ outcome: 'failed' } & FetchFailure)>
  progress(): FetchProgress
  cancel(): void
  interrupt(): void
  pause(): void
  proceed(): void
}

/** One download of a sector file or cache directory. Nothing happens before `run()`. */
export class Fetch {
  readonly #native: NativeFetch

  constructor(options: FetchOptions) {
    const order = {
      url: options.url,
      token: options.token,
      target: options.target,
      record: options.record ?? null,
      kind: options.kind,
      expectedBytes: options.expectedBytes ?? null,
      expectedHash: options.expectedHash ?? null,
      progressTimeoutMs: options.progressTimeoutMs ?? 60_000,
    }
    this.#native = new addon.Fetch(order, (options.limits ?? new FetchLimits()).native) as NativeFetch
  }

  /**
   * Downloads, once.
   * @throws FetchError; what was written is removed, or kept for the next one
   */
  async run(): Promise<Fetched> {
    const answer = await this.#native.run()
    if (answer.outcome === 'failed') throw new FetchError(answer)
    const { bytes, bytesResumed, files, seconds, etag } = answer
    return { bytes, bytesResumed, files, seconds, etag }
  }

  progress(): FetchProgress {
    return this.#native.progress()
  }

  /** Ends it soon; `run()` throws `cancelled`, and nothing is kept. */
  cancel(): void {
    this.#native.cancel()
  }

  /** Ends it soon; `run()` throws `interrupted`, and the next one goes on from there. */
  interrupt(): void {
    this.#native.interrupt()
  }

  /** Receives nothing until `proceed()`; a server that loses patience meanwhile ends the download. */
  pause(): void {
    this.#native.pause()
  }

  proceed(): void {
    this.#native.proceed()
  }
}
