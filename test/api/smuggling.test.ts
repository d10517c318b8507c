import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type Node, startNode } from '../../src/api/node.ts'
import { Log } from '../../src/base/log.ts'

// Two parsers see a connection, the door's and uWebSockets'. Whatever they could read differently must be
// answered once, at most, and end the connection: else what one calls a body is a request to the other.

const FILE = '/remote/sealed/s-t01000-7'
const SECRET = 'the bytes of a sealed sector'
const HIDDEN = `GET ${FILE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n`

let node: Node
let root: string
/** What was logged. */
const lines: string[] = []

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'sealyard-smuggling-'))
  await mkdir(join(root, 'sealed'))
  await writeFile(join(root, 'sealed/s-t01000-7'), SECRET)
  const verifier = {
    verify: async (token: string) =>
      token === 'good'
        ? ({ outcome: 'known', permissions: ['admin'], ttlMs: 60_000 } as const)
        : ({ outcome: 'denied', ttlMs: 0 } as const),
  }
  node = await startNode({
    listen: '127.0.0.1:0',
    verifier,
    log: new Log({ format: 'json', level: 'debug', write: (line) => void lines.push(line) }),
  })
  node.publications.publish('path-1', 'sealed', 's-t01000-7', join(root, 'sealed/s-t01000-7'))
})

test.after.always(async () => {
  await node.close(0)
  await rm(root, { recursive: true })
})

/** Sends bytes and the end of the stream; all that comes back until the connection is gone. */
function send(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(node.port, '127.0.0.1', () => socket.end(text, 'latin1'))
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET') reject(error)
    })
  })
}

const post = (fields: string, body: string) => `POST /rpc/v0 HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
const chunk = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
const long = `Content-Length: ${HIDDEN.length}\r\n`

test('the file is there for who asks rightly', async (t) => {
  const answer = await send(HIDDEN)
  t.true(answer.startsWith('HTTP/1.1 200 OK\r\n'))
  t.true(answer.endsWith(SECRET))
})

const refused: [string, string][] = [
  ['both lengths', post(`${long}Transfer-Encoding: chunked\r\n`, `0\r\n\r\n${HIDDEN}`)],
  ['both lengths, the other way round', post(`Transfer-Encoding: chunked\r\n${long}`, chunk(HIDDEN))],
  ['two lengths', post(`Content-Length: 0\r\n${long}`, HIDDEN)],
  ['the same length twice', post(`${long}${long}`, HIDDEN)],
  ['a list of lengths', post('Content-Length: 0, 0\r\n', HIDDEN)],
  ['a length with a sign', post('Content-Length: +0\r\n', HIDDEN)],
  ['a length in hexadecimal', post('Content-Length: 0x0\r\n', HIDDEN)],
  ['a space before the colon of a length', post(`Content-Length : ${HIDDEN.length}\r\n`, HIDDEN)],
  ['a space before the colon of an encoding', post('Transfer-Encoding : chunked\r\n', chunk(HIDDEN))],
  ['an unknown encoding', post('Transfer-Encoding: xchunked\r\n', chunk(HIDDEN))],
  ['two encodings', post('Transfer-Encoding: gzip, chunked\r\n', chunk(HIDDEN))],
  ['an encoding in HTTP/1.0', post('Transfer-Encoding: chunked\r\n', chunk(HIDDEN)).replace('1.1', '1.0')],
  ['a folded line', post(`X: a\r\n ${long}`, HIDDEN)],
  ['a bare line feed', post(`X: a\n${long}`, HIDDEN)],
  ['a bare carriage return', post(`X: a\r${long}`, HIDDEN)],
  ['a NUL', post(`X: a\0b\r\n${long}`, HIDDEN)],
  ['a field without a name', post(`: a\r\n${long}`, HIDDEN)],
  ['a file asked for with a body', HIDDEN.replace('\r\n\r\n', `\r\n${long}\r\n`) + HIDDEN],
  ['a proxy line', `PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n${HIDDEN}`],
]
for (const [what, request] of refused) {
  test(`${what}: refused, and nothing behind it is a request`, async (t) => {
    const answer = await send(request)
    t.regex(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
    t.is(answer.split('HTTP/1.1 ').length - 1, 1)
    t.false(answer.includes(SECRET))
  })
}

const notFiles: [string, string][] = [
  ['an empty line first', `\r\n${HIDDEN}`],
  ['an absolute address', HIDDEN.replace(' /', ' http://a/')],
  ['a percent-encoded name', HIDDEN.replace('-7', '-%37')],
  ['dots', HIDDEN.replace('/sealed/', '/sealed/../sealed/')],
  ['two slashes', HIDDEN.replace('/sealed/', '//sealed/')],
  ['a backslash', HIDDEN.replace('/sealed/', '/sealed\\')],
  ['another case', HIDDEN.replace('/sealed/', '/Sealed/')],
]
for (const [what, request] of notFiles) {
  test(`${what}: not a sector file to either side`, async (t) => {
    const answer = await send(request)
    t.true(answer.split('HTTP/1.1 ').length <= 2)
    t.false(answer.includes(SECRET))
  })
}

test('a tunnel through the node is refused, and an upgrade is for RPC alone', async (t) => {
  const through = await send(`CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`)
  t.regex(through, /^HTTP\/1\.1 405 /)
  t.is(through.split('HTTP/1.1 ').length, 2)
  const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
  for (const path of [FILE, '/healthz', '/remote/stat/x', '/rpc/v2']) {
    const answer = await send(HIDDEN.replace(FILE, path).replace('\r\n\r\n', `\r\n${fields}${key}\r\n`))
    t.notRegex(answer, /HTTP\/1\.1 101/, path)
  }
})

test('a token that is refused is repeated to nobody', async (t) => {
  const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJBbGxvdyI6WyJhZG1pbiJdfQ.c2VjcmV0LXNpZ25hdHVyZQ'
  const withToken = (request: string) => request.replace('Bearer good', `Bearer ${TOKEN}`)
  for (const request of [
    withToken(HIDDEN),
    withToken(HIDDEN).replace('-7', '-8'),
    HIDDEN.replace(FILE, `${FILE}?token=${TOKEN}`),
    HIDDEN.replace(FILE, `/remote/stat/x?token=${TOKEN}`),
    withToken(HIDDEN).replace('GET', 'DELETE'),
  ]) {
    const answer = await send(request)
    t.regex(answer, /^HTTP\/1\.1 401 /, request)
    t.false(answer.includes(TOKEN) || answer.includes(root), request)
  }
  t.true(
    lines.every((line) => !line.includes(TOKEN)),
    lines.join('\n'),
  )
})

test('a body is a body whatever it looks like', async (t) => {
  for (const request of [post(long, HIDDEN), post('Transfer-Encoding: chunked\r\n', chunk(HIDDEN))]) {
    const answer = await send(request)
    t.true(answer.split('HTTP/1.1 ').length <= 2)
    t.false(answer.includes(SECRET))
  }
})
