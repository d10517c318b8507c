import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type Agent, createServer, Agent as HttpAgent, type IncomingHttpHeaders, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { z } from 'zod'
import { SealerTokens } from '../../src/api/auth.ts'
import { ApiError } from '../../src/api/errors.ts'
import { type Node, startNode } from '../../src/api/node.ts'
import type { RemoteBackend } from '../../src/api/remote-routes.ts'
import { SealyardError } from '../../src/base/errors.ts'
import { Log } from '../../src/base/log.ts'
import { method } from '../../src/protocol/method.ts'
import { pushFile } from '../../src/protocol/reader-streams.ts'
import { createClient } from '../../src/protocol/rpc-client.ts'
import { SocketClient } from '../protocol/socket-client.ts'

const NAME = 's-t01000-7'
const PATH_ID = '3d2f7a52-0f7c-4b0e-9d8a-0123456789ab'
const STAT = { Capacity: 100, Available: 50, FSAvailable: 60, Reserved: 10, Max: 0, Used: 0 }
const table = {
  'Filecoin.Echo': method({ permission: 'read', params: [z.string()], result: z.string(), summary: 's' }),
  'Filecoin.Guarded': method({ permission: 'admin', params: [], result: z.string(), summary: 's' }),
}

interface Site {
  readonly node: Node
  readonly root: string
  readonly token: string
  readonly reader: string
  readonly lines: string[]
  readonly removed: unknown[]
  /** What lies here without the door knowing, by file type: told when it is asked for. */
  readonly found: Record<string, () => boolean>
}

async function open(t: ExecutionContext, serving = true): Promise<Site> {
  const root = await mkdtemp(join(tmpdir(), 'sealyard-node-'))
  const tokens = await SealerTokens.open(root)
  const lines: string[] = []
  const log = new Log({ format: 'json', level: 'debug', write: (line) => void lines.push(line) })
  const node = await startNode({ listen: '127.0.0.1:0', verifier: tokens, log })
  t.teardown(async () => {
    await node.close(0)
    await rm(root, { recursive: true })
  })
  const removed: unknown[] = []
  const found: Record<string, () => boolean> = {}
  const implementation = { Echo: async (text: string) => text, Guarded: async () => 'in' }
  if (serving) node.serve({ table, implementation, remote: backend(removed, found) })
  const [token, reader] = [
    await tokens.create(['read', 'write', 'sign', 'admin']),
    await tokens.create(['read']),
  ]
  return { node, root, token, reader, lines, removed, found }
}

function backend(removed: unknown[], found: Record<string, () => boolean>): RemoteBackend {
  return {
    stat: async (id) => {
      if (id === PATH_ID) return STAT
      throw new SealyardError({ code: 'UNKNOWN_PATH', level: 'permanent', message: `no path ${id}` })
    },
    serveFound: async (_sector, type) => (found[type] === undefined ? false : found[type]()),
    allocated: async (_sector, _proofType, offset) => offset === 0,
    remove: async (sector, type, keep) => void removed.push([sector, type, keep]),
    vanillaSingle: async () => Uint8Array.of(1, 2, 3),
    vanillaPorep: async () => Uint8Array.of(4, 5, 6),
  }
}

async function publish({ node, root, found }: Site, bytes: Buffer): Promise<void> {
  const path = join(root, 'sealed', NAME)
  await mkdir(join(root, 'sealed'), { recursive: true })
  await writeFile(path, bytes)
  node.publications.publish(PATH_ID, 'sealed', NAME, path)
  found.sealed = () => true
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Which of the client's ports carried it: tells connections apart. */
  readonly port: number | undefined
}

interface Ask {
  readonly method?: string
  readonly authorization?: string
  readonly body?: string
  readonly agent?: Agent
}

function ask(site: Site, path: string, { method = 'GET', authorization, body, agent }: Ask = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const headers = authorization === undefined ? {} : { authorization }
    const outgoing = request(`${site.node.url}${path}`, { method, headers, agent: agent ?? false })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      const port = outgoing.socket?.localPort
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, body: Buffer.concat(chunks), port })
      })
    })
    outgoing.end(body)
  })
}

const echo = (text: string) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'Filecoin.Echo', params: [text] })
const echoed = (text: string) => `{"id":1,"jsonrpc":"2.0","result":${JSON.stringify(text)}}\n`

test('methods are called over HTTP and over a WebSocket, with the rights of the token', async (t) => {
  const { node, token, reader } = await open(t)
  const url = `${node.url}/rpc/v0`
  const api = createClient(table, { url, token, timeoutMs: 10_000 })
  t.is(await api.Echo('over HTTP'), 'over HTTP')
  t.is(await api.Guarded(), 'in')
  const limited = createClient(table, { url, token: reader, timeoutMs: 10_000 })
  t.is(await limited.Echo('read'), 'read')
  await t.throwsAsync(limited.Guarded(), { message: /missing permission to invoke 'Guarded'/ })

  const socket = await SocketClient.connect(table, { url, token })
  const long = 'x'.repeat(3_000_000)
  t.deepEqual(await Promise.all([socket.api.Echo('a'), socket.api.Echo(long)]), ['a', long])
  t.is(node.stats().tunnels > 0, true)
  socket.close()
  await socket.closed
})

test('a sector file may come before and after calls on one connection', async (t) => {
  const site = await open(t)
  const bytes = Buffer.alloc(1_500_000, 'sealed')
  await publish(site, bytes)
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 })
  const authorization = `Bearer ${site.token}`
  const ports = new Set<number | undefined>()
  for (let round = 0; round < 3; round++) {
    const file = await ask(site, `/remote/sealed/${NAME}`, { agent, authorization })
    t.true(file.body.equals(bytes))
    const call = await ask(site, '/rpc/v0', { method: 'POST', body: echo(`${round}`), agent, authorization })
    t.is(call.body.toString(), echoed(`${round}`))
    ports.add(file.port).add(call.port)
  }
  agent.destroy()
  t.is(ports.size, 1)
  t.is(site.node.stats().servedBytes.sealed, 3 * bytes.length)
})

test('the rest of /remote is answered as lotus answers it', async (t) => {
  const site = await open(t)
  const authorization = `Bearer ${site.token}`
  const known = await ask(site, `/remote/stat/${PATH_ID}`, { authorization })
  t.is(known.status, 200)
  t.is(known.headers['content-type'], 'text/plain; charset=utf-8')
  t.is(known.body.toString(), `${JSON.stringify(STAT)}\n`)
  t.is((await ask(site, '/remote/stat/nobody', { authorization })).status, 404)

  const allocated = `/remote/unsealed/${NAME}/6/allocated`
  t.is((await ask(site, `${allocated}/0/127`, { authorization })).status, 200)
  t.is((await ask(site, `${allocated}/127/127`, { authorization })).status, 416)
  t.is((await ask(site, `/remote/sealed/${NAME}`, { authorization })).status, 404)
  const removal = { method: 'DELETE', authorization }
  t.is((await ask(site, `/remote/sealed/${NAME}?keep=a.b`, removal)).status, 200)
  t.deepEqual(site.removed, [[{ Miner: 1000, Number: 7 }, 'sealed', ['a', 'b']]])
  t.is((await ask(site, '/remote/nothing', { authorization })).body.toString(), '404 page not found\n')
})

test('a file that another node put here is served at its first request', async (t) => {
  const site = await open(t)
  const authorization = `Bearer ${site.token}`
  const bytes = Buffer.alloc(5000, 'found')
  t.is((await ask(site, `/remote/sealed/${NAME}`, { authorization })).status, 404)
  const path = join(site.root, 'sealed', NAME)
  await mkdir(join(site.root, 'sealed'), { recursive: true })
  await writeFile(path, bytes)
  site.found.sealed = () => {
    site.node.publications.publish(PATH_ID, 'sealed', NAME, path)
    return true
  }
  const answer = await ask(site, `/remote/sealed/${NAME}`, { authorization })
  t.is(answer.status, 200)
  t.true(answer.body.equals(bytes))
  t.is((await ask(site, `/remote/sealed/${NAME}`)).status, 401, 'strangers are refused as ever')
})

test('a refusal is worded as lotus words it, whoever of the two answers', async (t) => {
  const site = await open(t)
  const missing = '{"Error":"unauthorized: missing admin permission"}\n'
  // The door answers the first, hyper-express the others.
  for (const path of [`/remote/sealed/${NAME}`, `/remote/stat/${PATH_ID}`, '/remote/nothing']) {
    for (const [authorization, body] of [
      [undefined, missing],
      [`Bearer ${site.reader}`, missing],
      ['Bearer wrong', ''],
      [`bearer ${site.token}`, ''],
      ['Basic dXNlcg==', ''],
    ] as const) {
      const answer = await ask(site, path, authorization === undefined ? {} : { authorization })
      t.is(answer.status, 401, `${path} ${authorization}`)
      t.is(answer.body.toString(), body, `${path} ${authorization}`)
      if (body !== '') t.is(answer.headers['content-type'], 'text/plain; charset=utf-8')
    }
    const told = await ask(site, `${path}?token=${site.token}`)
    t.is(told.status, 401)
    t.regex(told.body.toString(), /a token in the URL ends in logs/)
  }
  const bad = await ask(site, '/rpc/v0', { method: 'POST', body: echo('x'), authorization: 'Bearer wrong' })
  t.deepEqual([bad.status, bad.body.length], [401, 0])
})

test('a piece is pushed into a file', async (t) => {
  const site = await open(t)
  const [file, target] = [join(site.root, 'source'), join(site.root, 'target')]
  const bytes = Buffer.alloc(5_000_001, 'piece')
  await writeFile(file, bytes)
  const uuid = randomUUID()
  // The push comes first and waits for the call that names it.
  const pushed = pushFile({
    url: `${site.node.url}/rpc/v0`,
    token: site.token,
    uuid,
    file,
    bytes: bytes.length,
  })
  t.deepEqual(await site.node.readers.receive({ Type: 'push', Info: uuid }, target, bytes.length), {
    bytes: bytes.length,
  })
  await pushed
  t.true((await readFile(target)).equals(bytes))
})

test('a piece that is too long leaves nothing behind', async (t) => {
  const site = await open(t)
  const [file, target] = [join(site.root, 'source'), join(site.root, 'target')]
  await writeFile(file, Buffer.alloc(1_000_000))
  const uuid = randomUUID()
  const pushed = pushFile({ url: site.node.url, token: '', uuid, file, bytes: 1_000_000 })
  const received = site.node.readers.receive({ Type: 'push', Info: uuid }, target, 999_999)
  await Promise.all([
    t.throwsAsync(pushed),
    t.throwsAsync(received, { instanceOf: ApiError, code: 'READER_TOO_LARGE' }),
  ])
  await t.throwsAsync(readFile(target), { code: 'ENOENT' })
})

test('zeroes need no stream', async (t) => {
  const site = await open(t)
  const target = join(site.root, 'zeroes')
  await site.node.readers.receive({ Type: 'null', Info: '4096' }, target, 4096)
  t.true((await readFile(target)).equals(Buffer.alloc(4096)))
})

test('a piece may be fetched from an address, up to the announced length', async (t) => {
  const site = await open(t)
  const bytes = Buffer.alloc(1_000_000, 'piece')
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length })
    response.end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close())
  const Info = `http://127.0.0.1:${(server.address() as AddressInfo).port}/piece`
  const target = join(site.root, 'target')
  t.deepEqual(await site.node.readers.receive({ Type: 'http', Info }, target, bytes.length), {
    bytes: bytes.length,
  })
  t.true((await readFile(target)).equals(bytes))
  await rm(target)
  const short = site.node.readers.receive({ Type: 'http', Info }, target, bytes.length - 1)
  await t.throwsAsync(short, { instanceOf: ApiError, code: 'READER_TOO_LARGE' })
  await t.throwsAsync(readFile(target), { code: 'ENOENT' })
})

test('until it serves, a node says that it is starting, and gives files already', async (t) => {
  const site = await open(t, false)
  await publish(site, Buffer.from('sealed'))
  const authorization = `Bearer ${site.token}`
  t.is((await ask(site, '/rpc/v0', { method: 'POST', body: echo('x'), authorization })).status, 503)
  t.is((await ask(site, '/healthz')).status, 503)
  t.is((await ask(site, `/remote/sealed/${NAME}`, { authorization })).body.toString(), 'sealed')
})

test('a port that is taken is told with what to do', async (t) => {
  const { node } = await open(t)
  const tokens = { verify: async () => ({ outcome: 'unavailable' as const }) }
  const log = new Log({ format: 'json', level: 'error', write: () => undefined })
  const listen = `127.0.0.1:${node.port}`
  await t.throwsAsync(startNode({ listen, verifier: tokens, log }), {
    instanceOf: ApiError,
    code: 'PORT_IN_USE',
    message: /ListenAddress/,
  })
})

test('closing ends sockets and idle connections', async (t) => {
  const site = await open(t)
  const url = `${site.node.url}/rpc/v0`
  const socket = await SocketClient.connect(table, { url, token: site.token })
  t.is(await socket.api.Echo('a'), 'a')
  const idle = connect(site.node.port, '127.0.0.1')
  const ended = new Promise<void>((resolve) => idle.once('close', () => resolve()))
  idle.resume()
  await new Promise<void>((resolve) => idle.once('connect', resolve))
  await site.node.close(20_000)
  await Promise.all([socket.closed, ended])
  t.is(site.node.stats().connections, 0)
})
