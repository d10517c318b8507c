import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { z } from 'zod'
import { SealyardError } from '../../src/base/errors.ts'
import { dialWorker } from '../../src/protocol/connections.ts'
import { RpcError } from '../../src/protocol/errors.ts'
import { method, nothing } from '../../src/protocol/method.ts'
import { pushFile } from '../../src/protocol/reader-streams.ts'
import { createClient } from '../../src/protocol/rpc-client.ts'
import { createDispatcher } from '../../src/protocol/rpc-server.ts'

const table = {
  'Filecoin.Echo': method({ permission: 'read', params: [z.string()], result: z.string(), summary: 's' }),
  'Filecoin.Void': method({ permission: 'read', params: [], result: nothing, summary: 's' }),
  'Filecoin.Refuse': method({ permission: 'read', params: [], result: nothing, summary: 's' }),
  'Filecoin.Alloc': method({
    permission: 'read',
    params: [z.number(), z.number().default(0)],
    optional: 1,
    result: z.number(),
    summary: 's',
  }),
}

/** A listener that answers later; a failure in it fails the test as an unhandled rejection. */
function answeredLater(answer: (...exchange: Parameters<RequestListener>) => Promise<void>): RequestListener {
  return (...exchange) => void answer(...exchange)
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function withServer<T>(listener: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** A node that answers each call from a function of method and parameters. */
function answering(
  answer: (method: string, params: unknown[]) => object | string,
  status = 200,
): RequestListener {
  return answeredLater(async (request, response) => {
    const body = await bodyOf(request)
    const { id, method, params } = JSON.parse(body.toString()) as {
      id: number
      method: string
      params: unknown[]
    }
    const reply = answer(method, params)
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof reply === 'string' ? reply : JSON.stringify({ id, jsonrpc: '2.0', ...reply }))
  })
}

const client = (url: string, timeoutMs = 5_000) =>
  createClient(table, { url: `${url}/rpc/v0`, token: 'tok', timeoutMs })

test('client and dispatcher understand each other, over one kept connection', async (t) => {
  const dispatcher = createDispatcher(table, {
    Echo: async (text) => text,
    Void: async () => undefined,
    Refuse: async () => {
      throw new SealyardError({ code: 'NO_SPACE', level: 'temporary', message: 'full' })
    },
  })
  const sockets = new Set<unknown>()
  const listener = answeredLater(async (request, response) => {
    sockets.add(request.socket)
    t.is(request.headers.authorization, 'Bearer tok')
    t.is(request.headers['content-type'], 'application/json')
    const reply = await dispatcher.handle(await bodyOf(request), { permissions: ['read'] })
    response.writeHead(reply.status)
    response.end(reply.body)
  })
  await withServer(listener, async (url) => {
    const api = client(url)
    t.is(await api.Echo('ä\u0000"'), 'ä\u0000"')
    t.is(await api.Void(), undefined)
    const refusal = await t.throwsAsync(api.Refuse(), { instanceOf: RpcError, message: 'full' })
    t.like(refusal, { code: 'NO_SPACE', level: 'temporary', rpcCode: 1, method: 'Filecoin.Refuse' })
    t.is(sockets.size, 1)
  })
})

test('an error of a stranger has its words, and is permanent', async (t) => {
  const failing = answering(() => ({ error: { code: 1, message: 'sector store not found' } }))
  await withServer(failing, async (url) => {
    const error = await t.throwsAsync(client(url).Void(), {
      instanceOf: RpcError,
      message: 'sector store not found',
    })
    t.like(error, { code: 'REMOTE_ERROR', level: 'permanent', rpcCode: 1 })
  })
})

test('an answer of a wrong shape names node and method', async (t) => {
  await withServer(
    answering(() => ({ result: 7 })),
    async (url) => {
      const error = await t.throwsAsync(client(url).Echo('x'), { code: 'BAD_ANSWER' })
      t.true(error?.message.includes(url) && error.message.includes('Filecoin.Echo'))
    },
  )
})

const noNodes: [string, number, string, string, RegExp][] = [
  ['a refused token', 401, '', 'UNAUTHORIZED', /refused the token .* it is not one of this cluster's/],
  [
    'an old token',
    401,
    '{"Error":"unauthorized: it expired"}\n',
    'UNAUTHORIZED',
    /\(HTTP 401\): it expired$/,
  ],
  ['a web page', 200, '<html>', 'NOT_A_NODE', /does not speak JSON-RPC/],
  ['a node that is starting', 503, 'starting', 'UNAVAILABLE', /cannot answer now \(HTTP 503\)/],
]
for (const [title, status, body, code, message] of noNodes) {
  test(`says in words what ${title} is`, async (t) => {
    await withServer(
      answering(() => body, status),
      async (url) => {
        await t.throwsAsync(client(url).Void(), { code, message })
      },
    )
  })
}

test('a node that is not there is a temporary error with the reason', async (t) => {
  const url = await withServer(
    () => undefined,
    async (each) => each,
  )
  const error = await t.throwsAsync(client(url).Void(), { code: 'CONNECTION', message: /ECONNREFUSED/ })
  t.like(error, { level: 'temporary' })
})

test('a node that does not answer is left after the timeout', async (t) => {
  await withServer(
    () => undefined,
    async (url) => {
      const error = await t.throwsAsync(client(url, 100).Void(), { code: 'TIMEOUT', message: /within 0.1 s/ })
      t.like(error, { level: 'temporary' })
    },
  )
})

test('an older node gets fewer parameters, and is asked only once whether it needs that', async (t) => {
  const calls: number[] = []
  const older = answering((_method, params) => {
    calls.push(params.length)
    if (params.length === 1) return { result: 1 }
    return { error: { code: -32602, message: "wrong param count (method 'Filecoin.Alloc'): 2 != 1" } }
  }, 500)
  await withServer(older, async (url) => {
    const api = client(url)
    t.is(await api.Alloc(5, 6), 1)
    t.is(await api.Alloc(5, 6), 1)
    t.deepEqual(calls, [2, 1, 1])
  })
})

test('a lotus worker is a stranger: it does not know who it is', async (t) => {
  const lotus = answering(
    (method) => ({ error: { code: -32601, message: `method '${method}' not found` } }),
    500,
  )
  await withServer(lotus, async (url) => {
    const worker = await dialWorker(`${url}/rpc/v0`, 'tok')
    t.is(worker.info, null)
    worker.close()
  })
})

test('a piece is pushed as go-jsonrpc does: HEAD, redirect, one chunked POST', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-push-'))
  const file = join(directory, 'piece')
  const content = Buffer.alloc(3 * 2 ** 20, 'sealyard')
  await writeFile(file, content)
  const seen: string[] = []
  let received: Buffer = Buffer.alloc(0)
  const listener = answeredLater(async (request, response) => {
    seen.push(`${request.method} ${request.url}`)
    if (request.url === '/rpc/streams/v0/push/u-1') {
      response.writeHead(302, { location: '/moved/u-1' }).end()
      return
    }
    if (request.method === 'POST') {
      t.is(request.headers['transfer-encoding'], 'chunked')
      received = await bodyOf(request)
    }
    response.writeHead(200).end()
  })
  await withServer(listener, async (url) => {
    await pushFile({ url: `${url}/rpc/v0`, token: 'tok', uuid: 'u-1', file, bytes: content.length })
    t.true(received.equals(content))
    t.deepEqual(seen, ['HEAD /rpc/streams/v0/push/u-1', 'HEAD /moved/u-1', 'POST /moved/u-1'])
    const wrongLength = pushFile({ url, token: '', uuid: 'u-1', file, bytes: 1 })
    await t.throwsAsync(wrongLength, { code: 'FILE_CHANGED' })
  })
  await rm(directory, { recursive: true })
})

test('a push that is refused early ends with the words of the other side', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-push-'))
  const file = join(directory, 'piece')
  await writeFile(file, Buffer.alloc(8 * 2 ** 20))
  const listener: RequestListener = (request, response) => {
    response.writeHead(request.method === 'HEAD' ? 200 : 413).end('too large for this sector')
  }
  await withServer(listener, async (url) => {
    const pushed = pushFile({ url, token: '', uuid: 'u-2', file, bytes: 8 * 2 ** 20 })
    await t.throwsAsync(pushed, { code: 'PUSH_REFUSED', message: /HTTP 413\): too large for this sector/ })
  })
  await rm(directory, { recursive: true })
})
