import { open, rm } from 'node:fs/promises'
import { errorCode } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { Fetch } from '../native/fetch.ts'
import {
  FrontDoor,
  type FrontDoorEvent,
  type FrontDoorStats,
  type ServeEngine,
  UploadError,
} from '../native/front-door.ts'
import type { ReaderSource } from '../protocol/connections.ts'
import type { ReaderParameter } from '../protocol/types.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import type { TokenVerifier } from './auth.ts'
import { ApiError, apiError } from './errors.ts'
import type { HttpRequest, RouteResult } from './http-types.ts'
import { portHolder } from './port-holder.ts'
import { formatScope } from './scopes.ts'

/** What the door may serve: storage tells it each sector file that is declared here, and each that is gone. */
export interface Publications {
  publish(pathId: string, type: SectorFileType, name: string, path: string): void
  unpublish(pathId: string, type: SectorFileType, name: string): void
}

export interface DoorOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Where hyper-express listens. */
  readonly upstreamPort: number
  readonly verifier: TokenVerifier
  readonly log: Logger
  readonly parallelTransfers?: number
  readonly maxConnections?: number
  readonly maxConnectionsPerAddress?: number
  readonly minRateBytes?: number
  readonly progressTimeoutMs?: number
  readonly serveEngine?: ServeEngine
}

export type { ServeEngine }

export type DoorStats = FrontDoorStats

/** The public port of a node. Sector files leave and pieces arrive here without TypeScript seeing a byte. */
export interface Door {
  readonly port: number
  readonly publications: Publications
  readonly readers: ReaderSource
  /** `10.0.0.5:51234` for a tunnel's loopback address. */
  peerOf(tunnel: string): string | null
  /** Lets the door answer a request that belongs to it but came through a tunnel. */
  handBack(request: HttpRequest): RouteResult
  stats(): DoorStats
  close(deadlineMs: number): Promise<void>
}

/**
 * Opens the door.
 * @throws ApiError PORT_IN_USE, PORT_FORBIDDEN, BAD_LISTEN_ADDRESS
 */
export function openDoor(options: DoorOptions): Door {
  const door = new FrontDoor({
    host: options.host,
    port: options.port,
    upstreamPort: options.upstreamPort,
    maxTransfers: options.parallelTransfers ?? 8,
    maxConnections: options.maxConnections ?? 4096,
    maxConnectionsPerAddress: options.maxConnectionsPerAddress ?? 512,
    progressTimeoutMs: options.progressTimeoutMs ?? 60_000,
    minRateBytes: options.minRateBytes ?? 4096,
    serveEngine: options.serveEngine ?? 'auto',
    authorize: (token) => judge(options.verifier, token),
    onEvent: (event) => logEvent(options.log, event),
  })
  return {
    port: start(door, options),
    publications: {
      publish: (...file) => door.publish(...file),
      unpublish: (...file) => void door.unpublish(...file),
    },
    readers: readersOf(door),
    peerOf: (tunnel) => door.peerOf(tunnel),
    handBack: (request) => handBack(door, request),
    stats: () => door.stats(),
    close: (deadlineMs) => door.close(deadlineMs),
  }
}

function start(door: FrontDoor, { host, port }: DoorOptions): number {
  try {
    return door.start().port
  } catch (cause) {
    const words: Readonly<Record<string, [string, string]>> = {
      EADDRINUSE: [
        'PORT_IN_USE',
        `port ${port} on ${host} is in use${holderWords(port)}: stop the other program, or set [API] ListenAddress to another port`,
      ],
      EACCES: ['PORT_FORBIDDEN', `this user may not listen on port ${port}; choose one above 1023`],
      EADDRNOTAVAIL: ['BAD_LISTEN_ADDRESS', `this machine has no address ${host}; check [API] ListenAddress`],
    }
    const [code, message] = words[errorCode(cause) ?? ''] ?? [
      'CANNOT_LISTEN',
      `cannot listen on ${host}, port ${port}: ${cause instanceof Error ? cause.message : String(cause)}`,
    ]
    throw apiError(code, message, cause)
  }
}

function holderWords(port: number): string {
  const holder = portHolder(port)
  return holder === null ? '' : ` by process ${holder}`
}

async function judge(verifier: TokenVerifier, token: string) {
  const verification = await verifier.verify(token)
  if (verification.outcome === 'unavailable') return { verdict: 'unavailable' as const, ttlMs: 0 }
  if (verification.outcome === 'denied') return { verdict: 'denied' as const, ttlMs: verification.ttlMs }
  const { permissions, scopes = [], ttlMs } = verification
  if (permissions.includes('admin')) return { verdict: 'allowed' as const, ttlMs }
  if (scopes.length === 0) return { verdict: 'forbidden' as const, ttlMs }
  return { verdict: 'scoped' as const, ttlMs, scopes: scopes.map(formatScope) }
}

function logEvent(log: Logger, { level, detail, ...fields }: FrontDoorEvent): void {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
  log[level](detail, given)
}

/**
 * The head goes to the door as its client would have sent it. Should the door refuse, a redirect to the same
 * address on a new connection brings it there too.
 */
function handBack(door: FrontDoor, request: HttpRequest): RouteResult {
  const target = request.query === '' ? request.path : `${request.path}?${request.query}`
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${request.method} ${target} HTTP/1.1\r\n${headers.join('')}\r\n`
  if (door.handBack(request.tunnel, head)) return 'handed-back'
  return { status: 307, headers: { location: target, connection: 'close' } }
}

function readersOf(door: FrontDoor): ReaderSource {
  return {
    async receive(reader, target, limitBytes) {
      try {
        return { bytes: await receive(door, reader, target, limitBytes) }
      } catch (cause) {
        await rm(target, { force: true })
        if (cause instanceof ApiError) throw cause
        const code =
          cause instanceof UploadError && cause.code === 'too-large' ? 'READER_TOO_LARGE' : 'READER_FAILED'
        const message = cause instanceof Error ? cause.message : String(cause)
        throw new ApiError({
          code,
          level: 'temporary',
          message: `the piece did not arrive: ${message}`,
          cause,
        })
      }
    },
  }
}

async function receive(
  door: FrontDoor,
  reader: ReaderParameter,
  target: string,
  limitBytes: number,
): Promise<number> {
  switch (reader.Type) {
    case 'push':
      return door.expectUpload(reader.Info, target, limitBytes).whole()
    case 'http':
      return download(reader.Info, target, limitBytes)
    case 'null':
      return zeroes(reader.Info, target, limitBytes)
  }
}

async function download(url: string, target: string, limitBytes: number): Promise<number> {
  // Without a token: it is for nodes of this cluster, and the address is somebody else's.
  const fetch = new Fetch({ url, token: null, target, kind: 'file' })
  const watch = setInterval(() => {
    const { doneBytes, totalBytes } = fetch.progress()
    if (Math.max(doneBytes, totalBytes ?? 0) > limitBytes) fetch.cancel()
  }, 200)
  try {
    const { bytes } = await fetch.run()
    if (bytes > limitBytes) throw tooLarge(bytes, limitBytes)
    return bytes
  } finally {
    clearInterval(watch)
  }
}

async function zeroes(length: string, target: string, limitBytes: number): Promise<number> {
  const bytes = Number(length)
  if (!/^\d+$/.test(length) || !Number.isSafeInteger(bytes)) {
    throw apiError(
      'BAD_READER',
      `a reader of zeroes is as long as its Info says, and '${length}' is no length`,
    )
  }
  if (bytes > limitBytes) throw tooLarge(bytes, limitBytes)
  const file = await open(target, 'wx', 0o600)
  try {
    await file.truncate(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  return bytes
}

function tooLarge(bytes: number, limitBytes: number) {
  return apiError('READER_TOO_LARGE', `the piece has ${bytes} bytes, but only ${limitBytes} were announced`)
}
