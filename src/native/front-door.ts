import type { SectorFileType } from '../sectors/file-types.ts'
import { addon } from './addon.ts'

/**
 * What a token may do. `scoped`: what its scopes name (`read-storage:sealed/s-t01000-7`, `write-storage`);
 * `forbidden`: known, but lacks admin; `denied`: not a token of this cluster;
 * `unavailable`: cannot be told now (the caller is answered 503 and nothing is remembered).
 */
export type TokenVerdict = 'allowed' | 'scoped' | 'forbidden' | 'denied' | 'unavailable'

/** One line for the log, told by the door. */
export interface FrontDoorEvent {
  level: 'debug' | 'info' | 'warn' | 'error'
  /** a fixed word: `accept-paused`, `source-changed`, `upload-failed`, … */
  event: string
  /** who was on the other end, `10.0.0.5:51234` */
  peer: string | null
  /** the file or directory concerned */
  path: string | null
  errno: number | null
  detail: string
}

/** Counters since start, except `connections`, `tunnels`, `transfers` and `uploads`: how many now. */
export interface FrontDoorStats {
  connections: number
  tunnels: number
  transfers: number
  uploads: number
  acceptedConnections: number
  /** body bytes served, by file type */
  servedBytes: Record<SectorFileType, number>
  /** body bytes of uploads taken in */
  receivedBytes: number
  /** transfers that ended with a destroyed connection */
  brokenTransfers: number
}

/**
 * How sector files are read when they are served. `sendfile` and `buffered` go through the page cache, and
 * `buffered` drops there what was sent; `direct` (io_uring, O_DIRECT) and `uncached` (RWF_DONTCACHE) leave nothing
 * there; `auto` takes `sendfile` for what is in it and the others for the rest. One that does not work here gives way
 * to the next of direct, uncached, buffered.
 */
export const SERVE_ENGINES = ['auto', 'sendfile', 'direct', 'uncached', 'buffered'] as const
export type ServeEngine = (typeof SERVE_ENGINES)[number]

/** How the door is set up. Absent numbers take the default named beside them. */
export interface FrontDoorOptions {
  /** address to listen on, `0.0.0.0`, `::`, `127.0.0.1` */
  host: string
  /** 0 takes a free one; `start()` tells which */
  port: number
  /** loopback port everything else is tunnelled to */
  upstreamPort: number
  /** threads that move bulk data; 8 */
  maxTransfers?: number
  /** open connections before accepting pauses; 4096 */
  maxConnections?: number
  /** open connections of one address, more are closed as they come; 512 */
  maxConnectionsPerAddress?: number
  /** a request head must be complete after this long; 10,000 */
  headTimeoutMs?: number
  /** a kept-alive connection without a request is closed after this long; 12,000 */
  idleTimeoutMs?: number
  /** a transfer without a byte moved for this long is cut; 60,000 */
  progressTimeoutMs?: number
  /** bytes a second that a client must take or send, on average over each such time of waiting for it; 4096 */
  minRateBytes?: number
  /** how long a caller waits for the verdict about its token before 503; 5,000 */
  verdictTimeoutMs?: number
  /** how long a push and the call that expects it wait for each other; 30,000 */
  uploadWaitMs?: number
  /** how sector files are read; auto */
  serveEngine?: ServeEngine
  /** judges one token; called once per token and time to live. A throw counts as `unavailable`. */
  authorize: (token: string) => Promise<{ verdict: TokenVerdict; ttlMs: number; scopes?: string[] }>
  onEvent?: (event: FrontDoorEvent) => void
}

export type UploadErrorCode =
  | 'incomplete'
  | 'too-large'
  | 'timeout'
  | 'cancelled'
  | 'malformed'
  | 'io'
  | 'closed'

/** A push that did not arrive whole; its target file is removed. */
export class UploadError extends Error {
  readonly code: UploadErrorCode
  readonly errno: number | null
  readonly path: string
  readonly bytesDone: number

  constructor(failure: {
    code: UploadErrorCode
    detail: string
    errno: number | null
    path: string
    bytesDone: number
  }) {
    super(failure.detail)
    this.name = 'UploadError'
    this.code = failure.code
    this.errno = failure.errno
    this.path = failure.path
    this.bytesDone = failure.bytesDone
  }
}

interface NativeUpload {
  settled(): Promise<
    | { outcome: 'received'; bytes: number }
    | {
        outcome: 'failed'
        code: UploadErrorCode
        detail: string
        errno: number | null
        path: string
        bytesDone: number
      }
  >
}

interface NativeFrontDoor {
  start(): { port: number }
  verdict(ticket: number, verdict: TokenVerdict, ttlMs: number, scopes: string[]): void
  publish(pathId: string, type: SectorFileType, name: string, path: string): void
  unpublish(pathId: string, type: SectorFileType, name: string): boolean
  peerOf(address: string): string | null
  handBack(address: string, head: Uint8Array): boolean
  expectUpload(uuid: string, path: string, limitBytes: number): NativeUpload
  stats(): Omit<FrontDoorStats, 'servedBytes'> & { servedBytes: { type: SectorFileType; bytes: number }[] }
  close(deadlineMs: number): Promise<void>
}

/** A push that is expected or arriving. */
export class Upload {
  readonly #native: NativeUpload

  constructor(native: NativeUpload) {
    this.#native = native
  }

  /**
   * Bytes of the whole body, once it lies fsynced in the target file. Call it once.
   * @throws UploadError when it does not come, comes incomplete, is too large or is cancelled
   */
  async whole(): Promise<number> {
    const outcome = await this.#native.settled()
    if (outcome.outcome === 'received') return outcome.bytes
    throw new UploadError(outcome)
  }
}

/**
 * The one public port of a node: sector files, cache directories and pushed pieces are handled in
 * Rust, everything else is tunnelled to `upstreamPort`. One `FrontDoor` is started once.
 */
export class FrontDoor {
  readonly #native: NativeFrontDoor

  constructor(options: FrontDoorOptions) {
    this.#native = new addon.FrontDoor(
      {
        host: options.host,
        port: options.port,
        upstreamPort: options.upstreamPort,
        maxTransfers: options.maxTransfers ?? 8,
        maxConnections: options.maxConnections ?? 4096,
        maxConnectionsPerAddress: options.maxConnectionsPerAddress ?? 512,
        headTimeoutMs: options.headTimeoutMs ?? 10_000,
        idleTimeoutMs: options.idleTimeoutMs ?? 12_000,
        progressTimeoutMs: options.progressTimeoutMs ?? 60_000,
        minRateBytes: options.minRateBytes ?? 4096,
        verdictTimeoutMs: options.verdictTimeoutMs ?? 5_000,
        uploadWaitMs: options.uploadWaitMs ?? 30_000,
        serveEngine: options.serveEngine ?? 'auto',
      },
      (event: FrontDoorEvent) => this.#tell(options, event),
      (request: { ticket: number; token: string }) => void this.#judge(options, request),
    ) as NativeFrontDoor
  }

  /**
   * Takes the port and starts serving.
   * @throws Error with `code` EADDRINUSE, EACCES, … and a sentence that says what to do
   */
  start(): { port: number } {
    return this.#native.start()
  }

  /**
   * Lets `/remote/<type>/<name>` serve `path`. Several storage paths may hold one name: the first
   * that opens is served.
   * @param name sector name, `s-t01000-7`
   * @param path absolute path of the file or directory, `<storage path>/<type>/<name>`
   */
  publish(pathId: string, type: SectorFileType, name: string, path: string): void {
    this.#native.publish(pathId, type, name, path)
  }

  /** @returns false when that was not published */
  unpublish(pathId: string, type: SectorFileType, name: string): boolean {
    return this.#native.unpublish(pathId, type, name)
  }

  /** The client behind a tunnel's loopback source address (`request.ip`): `10.0.0.5:51234`. */
  peerOf(address: string): string | null {
    return this.#native.peerOf(address)
  }

  /**
   * Returns a sector-file request that came through a tunnel to the door. On true: send nothing, and
   * close the response in `setImmediate`; the client is answered on the same connection. On false
   * answer it otherwise (307 with `Connection: close`).
   * @param head request line and headers as text, with the empty line
   */
  handBack(address: string, head: string): boolean {
    return this.#native.handBack(address, Buffer.from(head, 'latin1'))
  }

  /**
   * Announces a push to `/rpc/streams/v0/push/<uuid>`, which may be waiting already.
   * @param path new file the body is written to; must not exist
   */
  expectUpload(uuid: string, path: string, limitBytes: number): Upload {
    return new Upload(this.#native.expectUpload(uuid, path, limitBytes))
  }

  stats(): FrontDoorStats {
    const { servedBytes, ...rest } = this.#native.stats()
    const byType = Object.fromEntries(servedBytes.map(({ type, bytes }) => [type, bytes]))
    return { ...rest, servedBytes: byType as Record<SectorFileType, number> }
  }

  /** Stops accepting, lets what runs finish, cuts it after `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    await this.#native.close(deadlineMs)
  }

  // A throw inside a native callback would be an uncaught exception and end the daemon.
  #tell(options: FrontDoorOptions, event: FrontDoorEvent): void {
    try {
      options.onEvent?.(event)
    } catch (cause) {
      process.emitWarning(`front door event listener failed: ${String(cause)}`)
    }
  }

  async #judge(options: FrontDoorOptions, request: { ticket: number; token: string }): Promise<void> {
    const unavailable = { verdict: 'unavailable' as const, ttlMs: 0, scopes: [] }
    const answer = await Promise.resolve()
      .then(() => options.authorize(request.token))
      .catch(() => unavailable)
    try {
      this.#native.verdict(request.ticket, answer.verdict, answer.ttlMs, answer.scopes ?? [])
    } catch (cause) {
      process.emitWarning(`front door refused a verdict: ${String(cause)}`)
    }
  }
}
