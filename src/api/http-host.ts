import HyperExpress from 'hyper-express'
import type { Logger } from '../base/log.ts'
import type { Caller } from '../protocol/rpc-server.ts'
import type { SocketEnd, SocketSession } from '../protocol/rpc-websocket.ts'
import { apiError } from './errors.ts'
import { empty, type HttpAnswer, type HttpRequest, type RouteResult } from './http-types.ts'
import { SpareResponse } from './spare-response.ts'

export interface HttpHostOptions {
  readonly log: Logger
  /** Answers a request; it catches its own errors. */
  readonly answer: (request: HttpRequest) => Promise<RouteResult>
  /** Decides whether a WebSocket may be opened. */
  readonly admit: (request: HttpRequest) => Promise<Caller | HttpAnswer>
  /** Serves an opened one; the tunnel says whose it is. */
  readonly session: (caller: Caller, end: SocketEnd, tunnel: string) => SocketSession
}

const RPC_PATHS = ['/rpc/v0', '/rpc/v1'] as const
/** What go-jsonrpc takes. */
const RPC_BODY_BYTES = 100 * 2 ** 20
const OTHER_BODY_BYTES = 2 ** 20
/** Above what a session lets wait, or uWebSockets would drop an answer without a word. */
const SOCKET_BACKLOG_BYTES = 512 * 2 ** 20

type UpgradeContext = { caller: Caller; tunnel: string }

/**
 * hyper-express on a loopback port behind the front door. It accepts nobody else: the door's tunnels come from
 * 127.64.0.0/10, one address each, which is how a request's connection is known.
 */
export class HttpHost {
  readonly #server: HyperExpress.Server
  readonly #options: HttpHostOptions
  readonly #sockets = new Set<HyperExpress.Websocket>()
  #spare: SpareResponse | undefined

  private constructor(options: HttpHostOptions) {
    requireNativeServer()
    this.#options = options
    // It would install signal handlers of its own.
    this.#server = new HyperExpress.Server({ auto_close: false, max_body_length: OTHER_BODY_BYTES })
    for (const path of RPC_PATHS) {
      this.#server.any(path, { max_body_length: RPC_BODY_BYTES }, (request, response) =>
        this.#serve(request, response),
      )
      this.#server.upgrade(path, (request, response) => this.#upgrade(request, response))
      this.#server.ws(path, socketOptions(), (socket) => this.#open(socket))
    }
    this.#server.any('/*', (request, response) => this.#serve(request, response))
  }

  static async listen(options: HttpHostOptions): Promise<HttpHost> {
    const host = new HttpHost(options)
    await host.#server.listen(0, '127.0.0.1')
    host.#spare = await SpareResponse.open(host.#server)
    return host
  }

  get port(): number {
    return this.#server.port
  }

  /** Tells every WebSocket that the node goes away: `shutdown()` of hyper-express leaves them open. */
  closeSockets(): void {
    for (const socket of this.#sockets) socket.close(1001, 'the node stops')
  }

  /** Waits for running requests, at most until the deadline; then nothing listens any more. */
  async close(deadlineMs: number): Promise<void> {
    this.closeSockets()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, deadlineMs)
    })
    await Promise.race([this.#server.shutdown(), late])
    clearTimeout(timer)
    for (const socket of this.#sockets) socket.destroy()
    this.#spare?.close()
    this.#server.close()
  }

  async #serve(raw: HyperExpress.Request, response: HyperExpress.Response): Promise<void> {
    const tunnel = raw.ip
    if (!isTunnel(tunnel)) {
      this.#options.log.warn('refused a caller that did not come through the front door', { address: tunnel })
      response.close()
      return
    }
    const request = requestOf(raw, tunnel)
    const result = await this.#options.answer(request)
    if (response.completed) return
    if (result === 'handed-back') {
      // Not in the handler: an answer to a request pipelined before this one is still corked there.
      setImmediate(() => response.close())
    } else {
      send(response, request.method, result)
    }
  }

  async #upgrade(raw: HyperExpress.Request, response: HyperExpress.Response): Promise<void> {
    const tunnel = raw.ip
    if (!isTunnel(tunnel)) return response.close()
    const admitted = await this.#options.admit(requestOf(raw, tunnel))
    if (response.completed) return
    if ('status' in admitted) send(response, 'GET', admitted)
    else this.#spare?.upgrade(response, { caller: admitted, tunnel } satisfies UpgradeContext)
  }

  #open(socket: HyperExpress.Websocket): void {
    const { caller, tunnel } = socket.context as unknown as UpgradeContext
    const end: SocketEnd = {
      send: (text) => void socket.send(text),
      ping: () => socket.ping(),
      close: (code, reason) => socket.close(code, reason),
      destroy: () => socket.destroy(),
      unsentBytes: () => (socket.closed ? 0 : socket.buffered),
    }
    const session = this.#options.session(caller, end, tunnel)
    this.#sockets.add(socket)
    socket.on('ping', () => session.heard())
    socket.on('pong', () => session.heard())
    socket.on('message', (text: string) => {
      session.message(text).catch((error: unknown) => {
        this.#options.log.error('a socket call broke', { error: String(error) })
        socket.close(1011, 'internal error')
      })
    })
    socket.on('close', () => {
      this.#sockets.delete(socket)
      session.ended()
    })
  }
}

function socketOptions() {
  return {
    message_type: 'String' as const,
    // Longer than the session's own limit on silence, which closes first.
    idle_timeout: 120,
    max_payload_length: RPC_BODY_BYTES,
    max_backpressure: SOCKET_BACKLOG_BYTES,
  }
}

function requestOf(raw: HyperExpress.Request, tunnel: string): HttpRequest {
  return {
    method: raw.method.toUpperCase(),
    path: raw.path,
    query: raw.path_query,
    headers: raw.headers,
    tunnel,
    // Read only now: until then hyper-express holds 16 KiB at most.
    body: () => raw.buffer(),
  }
}

function send(response: HyperExpress.Response, method: string, answer: HttpAnswer): void {
  response.status(answer.status)
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.header(name, value)
  const body = answer.body ?? empty(answer.status).body
  if (method === 'HEAD' || body === undefined) response.send()
  else response.send(typeof body === 'string' ? body : Buffer.from(body))
}

/** 127.64.0.0/10 */
function isTunnel(address: string): boolean {
  const [first, second] = address.split('.').map(Number)
  return first === 127 && second !== undefined && second >= 64 && second < 128
}

/**
 * uWebSockets comes as a binary for certain Node versions; without one, its package goes on with a JavaScript
 * imitation on which nothing works.
 * @throws ApiError NO_NATIVE_SERVER
 */
function requireNativeServer(): void {
  const { App } = HyperExpress.compressors as unknown as { App: unknown }
  if (typeof App === 'function' && Function.prototype.toString.call(App).includes('[native code]')) return
  throw apiError(
    'NO_NATIVE_SERVER',
    `uWebSockets has no binary for Node ${process.version} on ${process.platform}-${process.arch}; run Sealyard with Node 20 (and without UWS_USE_FALLBACK)`,
  )
}
