import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { ConnectionError, ProtocolError } from './errors.ts'
import { HttpConnections, type HttpReply } from './http-exchange.ts'
import { authorization } from './rpc-client.ts'

export interface PushOptions {
  /** The node: `http://host:port`, with or without `/rpc/v0`. */
  readonly url: string
  readonly token: string
  /** Named in the call that expects the push, as `{"Type":"push","Info":uuid}`. */
  readonly uuid: string
  readonly file: string
  /** Length that `file` must have. */
  readonly bytes: number
  /** For the HEAD only: the other node answers it when the reader is wanted, at most 30 s later. 40 s by default. */
  readonly timeoutMs?: number
}

const MOST_REDIRECTS = 5
/** A push is wanted within 30 s or not at all; a little more, so that the other side is the one to say so. */
const PUSH_WAIT_MS = 40_000

/**
 * Sends a file's bytes to the node that expects them, as go-jsonrpc does: a HEAD that waits until the reader is
 * wanted and may redirect to another node, then one chunked POST.
 * @throws ProtocolError when the file has another length, the push is refused or nobody takes it
 */
export async function pushFile(options: PushOptions): Promise<void> {
  const { size } = await stat(options.file)
  if (size !== options.bytes) {
    throw new ProtocolError({
      code: 'FILE_CHANGED',
      level: 'permanent',
      message: `${options.file} has ${size} bytes, but ${options.bytes} were announced; it changed, start again`,
    })
  }
  // Never over a connection that has carried calls: a front door has handed that one to its RPC server for good,
  // and takes a stream itself only on a connection of its own.
  const connections = new HttpConnections()
  try {
    await send(options, connections)
  } finally {
    connections.close()
  }
}

async function send(options: PushOptions, connections: HttpConnections): Promise<void> {
  const target = await findTaker(options, connections)
  // 204: whoever asked for the reader has closed it unread, and that is its right.
  if (target === null) return
  const reply = await connections.exchange({
    method: 'POST',
    url: target,
    headers: streamHeaders(options.token),
    body: createReadStream(options.file, { highWaterMark: 2 ** 20 }),
    timeoutMs: 0,
  })
  if (reply.status !== 200) throw refused(target, reply)
}

async function findTaker(options: PushOptions, connections: HttpConnections): Promise<URL | null> {
  const node = options.url.replace(/\/rpc\/v[01]\/?$|\/$/, '')
  let target = new URL(`${node}/rpc/streams/v0/push/${options.uuid}`)
  for (let redirect = 0; redirect <= MOST_REDIRECTS; redirect++) {
    const reply = await connections.exchange({
      method: 'HEAD',
      url: target,
      headers: streamHeaders(options.token),
      timeoutMs: options.timeoutMs ?? PUSH_WAIT_MS,
    })
    if (reply.status === 200) return target
    if (reply.status === 204) return null
    if (reply.status !== 302 || reply.location === null) throw refused(target, reply)
    target = new URL(reply.location, target)
  }
  throw new ProtocolError({
    code: 'PUSH_REFUSED',
    level: 'permanent',
    message: `${options.url} sends a push from node to node without end`,
  })
}

function streamHeaders(token: string): Record<string, string> {
  return { 'content-type': 'application/octet-stream', ...authorization(token) }
}

function refused(target: URL, reply: HttpReply): ProtocolError {
  const words = reply.body.toString('utf8').split('\n', 1)[0] ?? ''
  const message = `${target.origin} did not take the piece (HTTP ${reply.status})${words === '' ? '' : `: ${words}`}`
  return reply.status >= 500
    ? new ConnectionError({ code: 'PUSH_REFUSED', message })
    : new ProtocolError({ code: 'PUSH_REFUSED', level: 'permanent', message })
}
