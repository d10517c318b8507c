import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createPort, type Server, type Socket } from 'node:net'
import { createServer as createTlsPort } from 'node:tls'
import type { ExecutionContext } from 'ava'

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** A server that is no node of ours, until the test ends. @returns what SEALER_API_INFO would be, without a token */
async function serve(t: ExecutionContext<unknown>, answer: Answer): Promise<string> {
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/http`
}

/** A web server that somebody typed the address of. */
export function webServer(t: ExecutionContext<unknown>, status = 404): Promise<string> {
  return serve(t, async (_request, response) => {
    response.writeHead(status, { 'content-type': 'text/html' }).end('<html>nothing here</html>')
  })
}

/** A port that takes connections and never says a word. */
export function silentPort(t: ExecutionContext<unknown>): Promise<string> {
  return listen(t, createPort())
}

/** A port that speaks TLS only. */
export function tlsPort(t: ExecutionContext<unknown>): Promise<string> {
  return listen(t, createTlsPort({}))
}

async function listen(t: ExecutionContext<unknown>, server: Server): Promise<string> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => open.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/http`
}

/** What a lotus miner answers to a worker that asks who it is; one that never heard of us. */
export function lotusMiner(t: ExecutionContext<unknown>, apiVersion: number): Promise<string> {
  const version = { Version: '1.13.0+mainnet', APIVersion: apiVersion, BlockDelay: 30 }
  return rpcNode(t, new Map([['Filecoin.Version', () => version]]))
}

/** A node that answers what it is told to, be it nonsense, and knows no other method. */
export function rpcNode(
  t: ExecutionContext<unknown>,
  answers: ReadonlyMap<string, () => unknown>,
): Promise<string> {
  return serve(t, async (request, response) => {
    const { id, method } = JSON.parse(await bodyOf(request)) as { id: number; method: string }
    const result = answers.get(method)
    const answer =
      result === undefined
        ? { error: { code: -32601, message: `method '${method}' not found` } }
        : { result: result() }
    response.writeHead('error' in answer ? 500 : 200, { 'content-type': 'application/json' })
    response.end(`${JSON.stringify({ ...answer, id, jsonrpc: '2.0' })}\n`)
  })
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) body += chunk
  return body
}
