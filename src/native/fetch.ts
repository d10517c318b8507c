import { addon } from './addon.ts'

export interface FetchOptions {
  /** `http://host:port/remote/<type>/<name>` */
  url: string
  token: string | null
  /** private temporary file or directory to make; must not exist, its parent must */
  target: string
  kind: 'file' | 'directory'
  /** no byte for this long ends the fetch; 60,000 */
  progressTimeoutMs?: number
}

/** A complete download, fsynced below `target`. The rename to its final name is the mover's. */
export interface Fetched {
  bytes: number
  /** what was written; for a file one entry with an empty name */
  files: { name: string; size: number }[]
  seconds: number
  etag: string | null
}

/**
 * `not-here`: 404, or 500 as the field answers it; `incomplete`: framing or archive ended early;
 * `refused-name`: the archive held what no cache directory holds.
 */
export type FetchErrorCode =
  | 'not-here'
  | 'unauthorized'
  | 'incomplete'
  | 'network'
  | 'refused-name'
  | 'timeout'
  | 'io'
  | 'cancelled'

interface FetchFailure {
  code: FetchErrorCode
  detail: string
  status: number | null
  errno: number | null
  path: string | null
  bytesDone: number
}

/** A download that did not complete; nothing is left at the target. */
export class FetchError extends Error {
  readonly code: FetchErrorCode
  /** HTTP status, when there was an answer */
  readonly status: number | null
  readonly errno: number | null
  readonly path: string | null
  readonly bytesDone: number

  constructor(failure: FetchFailure) {
    super(failure.detail)
    this.name = 'FetchError'
    this.code = failure.code
    this.status = failure.status
    this.errno = failure.errno
    this.path = failure.path
    this.bytesDone = failure.bytesDone
  }
}

interface NativeFetch {
  run(): Promise<({ outcome: 'fetched' } & Fetched) | ({ outcome: 'failed' } & FetchFailure)>
  progress(): { doneBytes: number; totalBytes: number | null }
  cancel(): void
}

/** One download of a sector file or cache directory. Nothing happens before `run()`. */
export class Fetch {
  readonly #native: NativeFetch

  constructor(options: FetchOptions) {
    this.#native = new addon.Fetch({
      url: options.url,
      token: options.token,
      target: options.target,
      kind: options.kind,
      progressTimeoutMs: options.progressTimeoutMs ?? 60_000,
    }) as NativeFetch
  }

  /**
   * Downloads, once.
   * @throws FetchError; what was written is removed
   */
  async run(): Promise<Fetched> {
    const answer = await this.#native.run()
    if (answer.outcome === 'failed') throw new FetchError(answer)
    return { bytes: answer.bytes, files: answer.files, seconds: answer.seconds, etag: answer.etag }
  }

  /** Bytes so far; the total is null until the answer told it. */
  progress(): { doneBytes: number; totalBytes: number | null } {
    return this.#native.progress()
  }

  /** Ends it soon; `run()` throws `cancelled`. */
  cancel(): void {
    this.#native.cancel()
  }
}
