import { RPC_CODE } from './errors.ts'
import type { Caller, Dispatcher } from './rpc-server.ts'

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
