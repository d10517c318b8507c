import { WebSocket } from 'ws'
import { ConnectionError, RPC_CODE } from './errors.ts'
import type { ApiOf, MethodTable } from './method.ts'
import { authorization, resultOf } from './rpc-client.ts'
import type { Caller, Dispatcher } from './rpc-server.ts'
import { typedClient } from './typed-client.ts'

/** go-jsonrpc's numbers: a ping each 5 s, and 30 s of silence mean that the other side is gone. */
export const SOCKET_PING_MS = 5_000
export const SOCKET_SILENCE_MS = 30_000
/** A socket has no back-pressure of its own: whoever has more calls open, or reads slower, is refused. */
const MOST_OPEN_CALLS = 256
const MOST_UNSENT_BYTES = 64 * 2 ** 20

/** One end of a WebSocket, whichever library it comes from. */
export interface SocketEnd {
  send(text: string): void
  ping(): void
  close(code: number, reason: string): void
  /** Without a closing handshake: the other side is gone. */
  destroy(): void
  /** Bytes handed to `send` that have not left. */
  unsentBytes(): number
}

/** Pings the other end, and ends the socket when nothing was heard for too long. */
class Pulse {
  #heardAt = Date.now()
  readonly #timer: NodeJS.Timeout

  constructor(end: SocketEnd) {
    this.#timer = setInterval(() => {
      if (Date.now() - this.#heardAt > SOCKET_SILENCE_MS) end.destroy()
      else end.ping()
    }, SOCKET_PING_MS)
    this.#timer.unref()
  }

  heard(): void {
    this.#heardAt = Date.now()
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/**
 * The serving end of one WebSocket: requests in, answers out, in the order in which they are ready.
 * `xrpc.cancel [id]` answers a running call with "context canceled"; what it does goes on unheard, as no method
 * here takes a signal.
 */
export class SocketSession {
  readonly #dispatcher: Dispatcher
  readonly #caller: Caller
  readonly #end: SocketEnd
  readonly #pulse: Pulse
  readonly #onStuck: (unsentBytes: number) => void
  #isOver = false
  readonly #open = new Set<{ readonly id: unknown; readonly cancel: () => void }>()

  /** @param onStuck told once, when the other side does not read what it asked for and is cut off */
  constructor(
    dispatcher: Dispatcher,
    caller: Caller,
    end: SocketEnd,
    onStuck: (unsentBytes: number) => void = () => undefined,
  ) {
    this.#dispatcher = dispatcher
    this.#caller = caller
    this.#end = end
    this.#pulse = new Pulse(end)
    this.#onStuck = onStuck
  }

  /** A ping or pong came. */
  heard(): void {
    this.#pulse.heard()
  }

  /** The socket is closed: answers of running calls have nowhere to go. */
  ended(): void {
    this.#isOver = true
    this.#pulse.stop()
    this.#open.clear()
  }

  async message(text: string): Promise<void> {
    if (this.#isOver) return
    this.#pulse.heard()
    const value = parse(text)
    const id = value?.id
    if (value?.method === 'xrpc.cancel') {
      const [cancelledId] = Array.isArray(value.params) ? value.params : []
      for (const call of this.#open) if (call.id === cancelledId) call.cancel()
      return
    }
    if (this.#open.size >= MOST_OPEN_CALLS) {
      this.#answer(failure(id, `more than ${MOST_OPEN_CALLS} calls at once on one connection`))
      return
    }
    let cancel = () => {}
    const cancelled = new Promise<string>((resolve) => {
      cancel = () => resolve(failure(id, 'context canceled'))
    })
    const call = { id, cancel }
    this.#open.add(call)
    const answered = this.#dispatcher.handleValue(value ?? text, this.#caller).then(({ body }) => body)
    const body = await Promise.race([answered, cancelled])
    if (this.#open.delete(call) && body !== null) this.#answer(body)
  }

  #answer(body: string): void {
    if (this.#isOver) return
    const unsentBytes = this.#end.unsentBytes()
    if (unsentBytes <= MOST_UNSENT_BYTES) {
      this.#end.send(body)
      return
    }
    // Not closed in good order: the words of farewell would wait behind everything that is not read either.
    this.#isOver = true
    this.#onStuck(unsentBytes)
    this.#end.destroy()
  }
}

export interface SocketClientOptions {
  /** `http://host:port/rpc/v0` (or ws://). */
  readonly url: string
  readonly token: string
  /** For one call and for connecting, 0 = none. Slow methods never have one. */
  readonly timeoutMs: number
}

interface OpenCall {
  readonly method: string
  readonly resolve: (answer: Record<string, unknown>) => void
  readonly reject: (error: Error) => void
}

/** The calling end of a WebSocket. It does not connect again by itself: callers see `closed` and decide. */
export class SocketClient<T extends MethodTable> {
  readonly api: ApiOf<T>
  /** Resolves when the socket is gone, whoever closed it. */
  readonly closed: Promise<void>
  readonly #options: SocketClientOptions
  readonly #socket: WebSocket
  readonly #open = new Map<number, OpenCall>()
  #lastId = 0

  private constructor(table: T, options: SocketClientOptions, socket: WebSocket) {
    this.#options = options
    this.#socket = socket
    this.api = typedClient(table, { url: options.url, call: (...call) => this.#call(...call) })
    const pulse = new Pulse(clientEnd(socket))
    socket.on('message', (data) => {
      pulse.heard()
      // ws gives one Buffer unless it is told otherwise.
      this.#receive((data as Buffer).toString())
    })
    socket.on('ping', () => pulse.heard())
    socket.on('pong', () => pulse.heard())
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        pulse.stop()
        this.#failAll()
        resolve()
      })
    })
  }

  /** @throws ConnectionError when there is nobody, or the token is refused */
  static async connect<T extends MethodTable>(
    table: T,
    options: SocketClientOptions,
  ): Promise<SocketClient<T>> {
    const socket = new WebSocket(options.url.replace(/^http/, 'ws'), {
      headers: authorization(options.token),
      perMessageDeflate: false,
      ...(options.timeoutMs > 0 ? { handshakeTimeout: options.timeoutMs } : {}),
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', (cause) =>
        reject(new ConnectionError({ message: `no socket to ${options.url}: ${cause.message}`, cause })),
      )
    })
    return new SocketClient(table, options, socket)
  }

  close(): void {
    this.#socket.close(1000, 'done')
  }

  async #call(method: string, params: readonly unknown[], slow: boolean): Promise<unknown> {
    if (this.#open.size >= MOST_OPEN_CALLS || this.#socket.bufferedAmount > MOST_UNSENT_BYTES) {
      throw this.#lost('too much waits on this socket')
    }
    if (this.#socket.readyState !== WebSocket.OPEN) throw this.#lost('the socket is closed')
    this.#lastId += 1
    const id = this.#lastId
    const timeoutMs = slow ? 0 : this.#options.timeoutMs
    let timer: NodeJS.Timeout | undefined
    try {
      const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
        this.#open.set(id, { method, resolve, reject })
        if (timeoutMs > 0) timer = setTimeout(() => this.#giveUp(id, timeoutMs), timeoutMs)
        this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
      })
      return resultOf(answer, method, this.#options.url)
    } finally {
      clearTimeout(timer)
      this.#open.delete(id)
    }
  }

  #giveUp(id: number, timeoutMs: number): void {
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'xrpc.cancel', params: [id] }))
    this.#open.get(id)?.reject(this.#lost(`no answer within ${timeoutMs / 1000} s`, 'TIMEOUT'))
  }

  #receive(text: string): void {
    const answer = parse(text)
    if (typeof answer?.id === 'number') this.#open.get(answer.id)?.resolve(answer)
  }

  #failAll(): void {
    for (const call of this.#open.values())
      call.reject(this.#lost(`the socket closed while ${call.method} ran`))
  }

  #lost(words: string, code = 'CONNECTION'): ConnectionError {
    return new ConnectionError({ code, message: `${this.#options.url}: ${words}` })
  }
}

function clientEnd(socket: WebSocket): SocketEnd {
  return {
    send: (text) => socket.send(text),
    ping: () => socket.ping(),
    close: (code, reason) => socket.close(code, reason),
    destroy: () => socket.terminate(),
    unsentBytes: () => socket.bufferedAmount,
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function failure(id: unknown, message: string): string {
  const error = { code: RPC_CODE.application, message }
  return `${JSON.stringify({ error, id: id ?? null, jsonrpc: '2.0' })}\n`
}
