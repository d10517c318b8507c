import { ConnectionError, ProtocolError, RpcError } from './errors.ts'
import { HttpConnections, type HttpReply } from './http-exchange.ts'
import type { ApiOf, MethodTable } from './method.ts'
import { typedClient } from './typed-client.ts'

export interface ClientOptions {
  /** The endpoint, `http://127.0.0.1:2345/rpc/v0`. */
  readonly url: string
  /** Empty: no Authorization header. */
  readonly token: string
  /** For one call, 0 = none. Methods that the table calls slow never have one. */
  readonly timeoutMs: number
  /** Shared by several clients when given; the owner closes it. */
  readonly connections?: HttpConnections
}

/** A client over HTTP: what calls a node, method by method. */
export function createClient<T extends MethodTable>(table: T, options: ClientOptions): ApiOf<T> {
  const connections = options.connections ?? new HttpConnections()
  const url = new URL(options.url)
  let lastId = 0
  return typedClient(table, {
    url: options.url,
    async call(method, params, slow) {
      lastId += 1
      const reply = await connections.exchange({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json', ...authorization(options.token) },
        body: JSON.stringify({ jsonrpc: '2.0', id: lastId, method, params }),
        timeoutMs: slow ? 0 : options.timeoutMs,
      })
      return readReply(reply, method, options.url)
    },
  })
}

export function authorization(token: string): Record<string, string> {
  return token === '' ? {} : { authorization: `Bearer ${token}` }
}

/**
 * The result in an HTTP answer.
 * @throws RpcError, or ProtocolError when the answer is no JSON-RPC
 */
function readReply(reply: HttpReply, method: string, url: string): unknown {
  if (reply.status === 401) throw refusedToken(reply.body, url)
  const answer = parseAnswer(reply.body)
  if (answer === null) throw notAnAnswer(reply.status, url)
  return resultOf(answer, method, url)
}

/** @throws RpcError when the answer carries an error */
export function resultOf(answer: Record<string, unknown>, method: string, url: string): unknown {
  const { error } = answer
  if (error === undefined || error === null) return answer.result
  const { code, message, data } = error as { code?: unknown; message?: unknown; data?: unknown }
  throw new RpcError({
    rpcCode: typeof code === 'number' ? code : 0,
    method,
    url,
    message: typeof message === 'string' ? message : `${url} answered ${method} with an error without words`,
    data,
  })
}

function parseAnswer(body: Buffer): Record<string, unknown> | null {
  try {
    const answer: unknown = JSON.parse(body.toString('utf8'))
    const isAnswer =
      typeof answer === 'object' && answer !== null && ('result' in answer || 'error' in answer)
    return isAnswer ? (answer as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** A node of ours says in the body what is wrong with a token that is its own; one of the field says nothing. */
function refusedToken(body: Buffer, url: string): ProtocolError {
  const said = /^\{"Error":"unauthorized: ([^"\\]{1,300})"\}\s*$/.exec(body.toString('utf8', 0, 1000))?.[1]
  const advice =
    "it is not one of this cluster's; 'sealyard-sealer auth api-info --perm admin' prints one that is. " +
    '(A lotus worker answers so too while its miner is away)'
  return new ProtocolError({
    code: 'UNAUTHORIZED',
    level: 'permanent',
    message: `${url} refused the token (HTTP 401): ${said ?? advice}`,
  })
}

function notAnAnswer(status: number, url: string): ProtocolError {
  if (status === 502 || status === 503 || status === 504) {
    return new ConnectionError({ code: 'UNAVAILABLE', message: `${url} cannot answer now (HTTP ${status})` })
  }
  return new ProtocolError({
    code: 'NOT_A_NODE',
    level: 'permanent',
    message: `${url} does not speak JSON-RPC (HTTP ${status}); is it the address of a node's /rpc/v0?`,
  })
}
