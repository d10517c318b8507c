import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { ConnectionError } from './errors.ts'

export interface HttpReply {
  readonly status: number
  readonly location: string | null
  readonly body: Buffer
}

export interface HttpCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer | AsyncIterable<Uint8Array>
  /** 0: wait for ever. */
  readonly timeoutMs: number
}

/** The largest answer taken: C1's output of a 64 GiB sector in base64 is some 70 MB. */
const ANSWER_LIMIT_BYTES = 256 * 2 ** 20
/** Shorter than what any server of the field keeps an idle connection (uWebSockets 12 s): no race with its close. */
const IDLE_SOCKET_MS = 5_000

/**
 * HTTP with kept-alive connections. Node's fetch is not used: it gives up after five minutes without an answer,
 * and unsealing takes hours.
 */
export class HttpConnections {
  readonly #http = new HttpAgent({ keepAlive: true, timeout: IDLE_SOCKET_MS })
  readonly #https = new HttpsAgent({ keepAlive: true, timeout: IDLE_SOCKET_MS })

  /** Idle connections are closed; running calls end. */
  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  /** @throws ConnectionError when no whole answer came */
  async exchange(call: HttpCall): Promise<HttpReply> {
    const aborted = new AbortController()
    const timer = call.timeoutMs > 0 ? setTimeout(() => aborted.abort(), call.timeoutMs) : undefined
    try {
      return await this.#exchange(call, aborted.signal)
    } catch (cause) {
      if (cause instanceof ConnectionError) throw cause
      const { origin } = call.url
      if (aborted.signal.aborted) {
        const message = `${origin} did not answer within ${call.timeoutMs / 1000} s`
        // Its cause says no more than that somebody gave up: we did.
        throw new ConnectionError({ code: 'TIMEOUT', message })
      }
      throw new ConnectionError({ message: `no answer from ${origin}: ${reason(cause)}`, cause })
    } finally {
      clearTimeout(timer)
    }
  }

  async #exchange(call: HttpCall, signal: AbortSignal): Promise<HttpReply> {
    const secure = call.url.protocol === 'https:'
    const request = (secure ? httpsRequest : httpRequest)(call.url, {
      agent: secure ? this.#https : this.#http,
      method: call.method,
      headers: call.headers,
      signal,
    })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve)
      request.once('error', reject)
    })
    // An error while the body is still written must not go unhandled; it is reported by the await below.
    answered.catch(() => undefined)
    const { body } = call
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) request.end(body)
    else await writeAll(request, body, answered)
    const response = await answered
    return {
      status: response.statusCode ?? 0,
      location: response.headers.location ?? null,
      body: await readAll(response, call.url.origin),
    }
  }
}

/** Writes a body of unknown length; stops when the other side has answered already (it refused). */
async function writeAll(
  request: ReturnType<typeof httpRequest>,
  body: AsyncIterable<Uint8Array>,
  answered: Promise<unknown>,
): Promise<void> {
  let over = false
  const end = answered.then(
    () => {
      over = true
    },
    () => {
      over = true
    },
  )
  for await (const chunk of body) {
    if (over) break
    if (!request.write(chunk)) {
      await Promise.race([new Promise((resolve) => request.once('drain', resolve)), end])
    }
  }
  request.end()
}

async function readAll(response: IncomingMessage, origin: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > ANSWER_LIMIT_BYTES) {
      response.destroy()
      throw new ConnectionError({
        code: 'ANSWER_TOO_LARGE',
        message: `${origin} sends more than 256 MiB as an answer`,
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Node puts the reason of a failed dual-stack connect into `errors` and leaves the message empty. */
function reason(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reason).join('; ')
  // Node's words for a connection that was closed before anything was answered. OpenSSL does so to plain HTTP.
  if (cause instanceof Error && cause.message === 'socket hang up') {
    return 'it closed the connection without a word (socket hang up; a TLS port is addressed with /https)'
  }
  return cause instanceof Error ? cause.message : String(cause)
}
