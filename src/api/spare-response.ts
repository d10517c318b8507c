import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type HyperExpress from 'hyper-express'

/**
 * A request of our own that is never answered, for the one thing that uWebSockets cannot do: open a WebSocket in
 * the cork of its own response, after an await.
 *
 * `HttpResponse::cork` compares addresses to find out whether the socket was upgraded inside of it. The upgrade
 * shrinks the socket's block, glibc leaves it where it is, and so cork goes on to read the state of a response
 * that is no more, from memory already freed; when another thread has written there, it may read "close the
 * connection" (uNetworking/uWebSockets, pull request 1929). hyper-express corks whatever comes after an await.
 * While another response is corked, that cork just calls through: nothing is read afterwards.
 */
export class SpareResponse {
  readonly #client: Socket
  readonly #response: HyperExpress.Response['raw']
  #isGone = false

  private constructor(client: Socket, response: HyperExpress.Response['raw']) {
    this.#client = client
    this.#response = response
    response.onAborted(() => {
      this.#isGone = true
    })
  }

  /** @param server listens on 127.0.0.1 */
  static async open(server: HyperExpress.Server): Promise<SpareResponse> {
    const path = `/${randomUUID()}`
    let first: ((spare: SpareResponse) => void) | null = null
    const client = connect(server.port, '127.0.0.1')
    const opened = new Promise<SpareResponse>((resolve) => {
      first = resolve
    })
    server.uws_instance.get(path, (response) => {
      if (first === null) response.close()
      else first(new SpareResponse(client, response))
      first = null
    })
    client.on('error', () => undefined)
    client.unref()
    await once(client, 'connect')
    client.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    return opened
  }

  /** Answers an upgrade request with an open WebSocket, now or after an await. */
  upgrade(response: HyperExpress.Response, context: Record<string, unknown>): void {
    response.atomic = (corked) => {
      // Should it ever be gone, an upgrade without any cork is right too; uWebSockets then warns on stderr.
      if (this.#isGone) corked()
      else this.#response.cork(corked)
      return response
    }
    response.upgrade(context)
  }

  close(): void {
    this.#client.destroy()
  }
}
