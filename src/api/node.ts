import { type Clock, systemClock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Log, Logger } from '../base/log.ts'
import { parseListenAddress } from '../protocol/api-info.ts'
import type { ReaderSource } from '../protocol/connections.ts'
import type { ApiOf, MethodTable } from '../protocol/method.ts'
import { type Caller, createDispatcher, type Dispatcher } from '../protocol/rpc-server.ts'
import { SocketSession } from '../protocol/rpc-websocket.ts'
import type { TokenVerifier } from './auth.ts'
import { authenticate } from './authenticate.ts'
import { statusOf } from './error-status.ts'
import { type Door, type DoorStats, openDoor, type Publications, type ServeEngine } from './front-door.ts'
import { HttpHost } from './http-host.ts'
import {
  empty,
  type HttpAnswer,
  type HttpRequest,
  NOT_FOUND,
  type Route,
  type RouteResult,
  unauthorized,
  words,
} from './http-types.ts'
import { type RemoteBackend, remoteRoutes } from './remote-routes.ts'
import { scopesAllow } from './scopes.ts'

export interface NodeOptions {
  /** Multiaddr or host:port; port 0 takes a free one. */
  readonly listen: string
  /** host:port under which others reach this node; empty or absent: where it listens. */
  readonly advertise?: string
  /** Without {@link advertise}: the host under which others reach it; absent: the one where it listens. */
  readonly advertisedHost?: string
  readonly verifier: TokenVerifier
  readonly log: Log
  readonly clock?: Clock
  readonly parallelTransfers?: number
  readonly maxConnections?: number
  readonly maxConnectionsPerAddress?: number
  readonly minRateBytes?: number
  readonly progressTimeoutMs?: number
  readonly serveEngine?: ServeEngine
}

export interface Served<T extends MethodTable> {
  readonly table: T
  readonly implementation: Partial<ApiOf<T>>
  readonly remote: RemoteBackend
  /** Further pages; asked after our own routes. */
  readonly routes?: readonly Route[]
}

/** A node's public face. Until `serve` is called, all but sector files is answered 503. */
export interface Node {
  /** `http://10.0.0.7:3456`, as others reach it. */
  readonly url: string
  readonly port: number
  readonly publications: Publications
  readonly readers: ReaderSource
  serve<T extends MethodTable>(served: Served<T>): void
  stats(): DoorStats
  /** Takes no more requests, lets running ones end, cuts them at the deadline. */
  close(deadlineMs: number): Promise<void>
}

/**
 * Starts the front door on the public port, and hyper-express behind it.
 * @throws ApiError PORT_IN_USE, NO_NATIVE_SERVER, …
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { host, port } = parseListenAddress(options.listen)
  const face = new PublicFace(options)
  const http = await HttpHost.listen({
    log: options.log.logger('api'),
    answer: (request) => face.answer(request),
    admit: (request) => face.admit(request),
    session: (caller, end, tunnel) =>
      new SocketSession(face.dispatcher, caller, end, (bytes) => face.cutOff(tunnel, bytes)),
  })
  try {
    const door = openDoor({
      ...options,
      host,
      port,
      upstreamPort: http.port,
      log: options.log.logger('remote'),
    })
    face.door = door
    return nodeOf(options, host, face, door, http)
  } catch (error) {
    await http.close(0)
    throw error
  }
}

function nodeOf(options: NodeOptions, host: string, face: PublicFace, door: Door, http: HttpHost): Node {
  const clock = options.clock ?? systemClock
  const reached = options.advertisedHost ?? host
  const authority = options.advertise || `${reached.includes(':') ? `[${reached}]` : reached}:${door.port}`
  return {
    url: `http://${authority}`,
    port: door.port,
    publications: door.publications,
    readers: door.readers,
    serve: (served) => face.serve(served),
    stats: () => door.stats(),
    async close(deadlineMs) {
      const started = clock.monotonicMs()
      // A tunnel with an open WebSocket would never drain.
      http.closeSockets()
      await door.close(deadlineMs)
      await http.close(Math.max(deadlineMs - (clock.monotonicMs() - started), 100))
    },
  }
}

/** Routes, permissions and errors: from a request to an answer, without a library in sight. */
class PublicFace {
  door: Door | null = null
  #dispatcher: Dispatcher | null = null
  #routes: readonly Route[]
  readonly #verifier: TokenVerifier
  readonly #log: Logger
  readonly #rpcLog: Logger

  constructor(options: NodeOptions) {
    this.#verifier = options.verifier
    this.#log = options.log.logger('api')
    this.#rpcLog = options.log.logger('rpc')
    this.#routes = this.#ownRoutes()
  }

  get dispatcher(): Dispatcher {
    if (this.#dispatcher === null) throw new Error('a socket was admitted before the node serves')
    return this.#dispatcher
  }

  serve<T extends MethodTable>({ table, implementation, remote, routes = [] }: Served<T>): void {
    this.#dispatcher = createDispatcher(table, implementation, {
      onFault: (method, error) => {
        const stack = error instanceof Error ? (error.stack ?? '') : ''
        this.#rpcLog.error('a method failed with an error that is not ours', {
          method,
          error: describeError(error),
          stack,
        })
      },
    })
    this.#routes = [
      ...this.#ownRoutes(),
      ...remoteRoutes(remote, (request) => this.#handBack(request)),
      ...routes,
    ]
  }

  /** A client that asks and does not read: it is named, so that its owner can be found. */
  cutOff(tunnel: string, unsentBytes: number): void {
    this.#log.warn('a socket was cut off: its client asks and does not read the answers', {
      peer: this.door?.peerOf(tunnel) ?? 'unknown',
      unsentBytes,
    })
  }

  async answer(request: HttpRequest): Promise<RouteResult> {
    try {
      return await this.#route(request)
    } catch (error) {
      const status = statusOf(error)
      const fields = { method: request.method, path: request.path, status, error: describeError(error) }
      this.#log[status === 500 ? 'error' : 'info']('request failed', { ...fields, peer: this.#peer(request) })
      // No text of the error: it may name paths of this machine.
      return status === 500 ? empty(500) : words(status, errorWord(error))
    }
  }

  async admit(request: HttpRequest): Promise<Caller | HttpAnswer> {
    if (this.#dispatcher === null) return STARTING
    const known = await authenticate(request, this.#verifier)
    return 'refusal' in known ? known.refusal : known
  }

  async #route(request: HttpRequest): Promise<RouteResult> {
    const route = this.#routes.find((each) => each.pattern.test(request.path))
    const isRemote = request.path.startsWith('/remote')
    if (isRemote || route?.admin === true) {
      // Before anything else: a 404 to a stranger would tell what is not here.
      const known = await authenticate(request, this.#verifier)
      if ('refusal' in known) return known.refusal
      const isScoped = scopesAllow(known.scopes ?? [], request.method, request.path)
      if (!known.permissions.includes('admin') && !isScoped) return unauthorized('missing admin permission')
    }
    if (route === undefined) return this.#dispatcher === null && isRemote ? STARTING : NOT_FOUND
    if (!route.methods.includes(request.method) && !route.methods.includes('*')) return empty(405)
    return route.handle(request, route.pattern.exec(request.path) as RegExpExecArray)
  }

  #ownRoutes(): Route[] {
    return [
      { pattern: /^\/rpc\/v[01]$/, methods: ['*'], admin: false, handle: (request) => this.#rpc(request) },
      {
        pattern: /^\/healthz$/,
        methods: ['GET', 'HEAD'],
        admin: false,
        handle: () => (this.#dispatcher === null ? STARTING : HEALTHY),
      },
      // The door takes pushes, but one that follows calls on the same connection comes through the tunnel.
      {
        pattern: /^\/rpc\/streams\/v0\/push\/[\da-fA-F-]{36}$/,
        methods: ['HEAD', 'POST'],
        admin: false,
        handle: (request) => (request.method === 'HEAD' ? this.#handBack(request) : onNewConnection(request)),
      },
    ]
  }

  async #rpc(request: HttpRequest): Promise<RouteResult> {
    if (this.#dispatcher === null) return STARTING
    const known = await authenticate(request, this.#verifier)
    if ('refusal' in known) return known.refusal
    const body = request.method === 'POST' ? await request.body() : new Uint8Array()
    const reply = await this.#dispatcher.handle(body, known)
    const headers = { 'content-type': 'application/json' }
    return reply.body === null
      ? { status: reply.status, headers }
      : { status: reply.status, headers, body: reply.body }
  }

  #handBack(request: HttpRequest): RouteResult {
    return this.door === null ? STARTING : this.door.handBack(request)
  }

  #peer(request: HttpRequest): string {
    return this.door?.peerOf(request.tunnel) ?? 'unknown'
  }
}

const STARTING = words(503, 'this node is starting; try again in a moment')
const HEALTHY: HttpAnswer = {
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: '{"status":"ok"}\n',
}

/** A body that has begun cannot be handed back. */
function onNewConnection(request: HttpRequest): HttpAnswer {
  return { status: 307, headers: { location: request.path, connection: 'close' } }
}

function errorWord(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed'
}
