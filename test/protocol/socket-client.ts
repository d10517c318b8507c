import { WebSocket } from 'ws'
import type { ApiOf, MethodTable } from '../../src/protocol/method.ts'
import { authorization, resultOf } from '../../src/protocol/rpc-client.ts'
import { typedClient } from '../../src/protocol/typed-client.ts'

/** The calling end of a WebSocket, as a lotus client holds one. */
export class SocketClient<T extends MethodTable> {
  readonly api: ApiOf<T>
  /** Resolves when the socket is gone, whoever closed it. */
  readonly closed: Promise<void>
  readonly #socket: WebSocket
  readonly #url: string
  readonly #open = new Map<number, (answer: Record<string, unknown>) => void>()
  #lastId = 0

  private constructor(table: T, url: string, socket: WebSocket) {
    this.#socket = socket
    this.#url = url
    this.api = typedClient(table, { url, call: (method, params) => this.#call(method, params) })
    socket.on('message', (data) => this.#receive((data as Buffer).toString()))
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()))
  }

  static async connect<T extends MethodTable>(
    table: T,
    { url, token }: { readonly url: string; readonly token: string },
  ): Promise<SocketClient<T>> {
    const headers = authorization(token)
    const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers, perMessageDeflate: false })
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    return new SocketClient(table, url, socket)
  }

  close(): void {
    this.#socket.close(1000, 'done')
  }

  async #call(method: string, params: readonly unknown[]): Promise<unknown> {
    this.#lastId += 1
    const id = this.#lastId
    const answered = new Promise<Record<string, unknown>>((resolve) => this.#open.set(id, resolve))
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    return resultOf(await answered, method, this.#url)
  }

  #receive(text: string): void {
    const answer = JSON.parse(text) as Record<string, unknown>
    this.#open.get(answer.id as number)?.(answer)
  }
}
