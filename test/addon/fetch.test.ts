import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  Fetch,
  FetchError,
  type FetchErrorCode,
  FetchLimits,
  type FetchOptions,
} from '../../src/native/fetch.ts'

const FILE = { 'content-type': 'application/octet-stream' }
const TAR = { 'content-type': 'application/x-tar' }

interface Setting {
  readonly directory: string
  readonly target: string
  readonly options: (kind: FetchOptions['kind']) => FetchOptions
}

/** A server that answers everything with `listener`, and a place to fetch to. */
async function serve(t: ExecutionContext, listener: RequestListener): Promise<Setting> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const directory = mkdtempSync(join(tmpdir(), 'sealyard-fetch-'))
  t.teardown(async () => {
    rmSync(directory, { recursive: true, force: true })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  const target = join(directory, 's-t01000-7.1')
  const url = `http://127.0.0.1:${port}/remote/sealed/s-t01000-7`
  return { directory, target, options: (kind) => ({ url, token: 'a.b.c', target, kind }) }
}

async function failure(t: ExecutionContext, fetch: Fetch, code: FetchErrorCode): Promise<FetchError> {
  const error = await t.throwsAsync(fetch.run(), { instanceOf: FetchError })
  t.is(error.code, code, error.message)
  return error
}

/** One file as it stands in a POSIX archive. */
function tarEntry(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\0', 257, 'latin1')
  header.write('00', 263)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

test('fetches a file and says what it is', async (t) => {
  const content = Buffer.alloc(3_000_001, 'sector')
  let asked = ''
  const { target, options } = await serve(t, (request, response) => {
    asked = `${request.headers.authorization} ${request.headers['accept-encoding']}`
    response.writeHead(200, { ...FILE, 'content-length': content.length, etag: '"1-2"' }).end(content)
  })
  const fetch = new Fetch(options('file'))
  t.deepEqual(fetch.progress(), { doneBytes: 0, totalBytes: null, heldBackMs: 0 })
  const fetched = await fetch.run()
  t.is(asked, 'Bearer a.b.c identity')
  t.is(fetched.bytes, content.length)
  t.deepEqual(fetched.files, [{ name: '', size: content.length }])
  t.is(fetched.etag, '"1-2"')
  t.true(fetched.seconds > 0)
  t.deepEqual(fetch.progress(), { doneBytes: content.length, totalBytes: content.length, heldBackMs: 0 })
  t.true(readFileSync(target).equals(content))
  t.is(statSync(target).mode & 0o777, 0o644)
})

test('fetches a directory as lotus sends it: in chunks, without end blocks', async (t) => {
  const aux = Buffer.alloc(64, 1)
  const tree = Buffer.alloc(100_000, 2)
  const { target, options } = await serve(t, (_request, response) => {
    response.writeHead(200, TAR)
    response.write(tarEntry('p_aux', aux))
    response.end(tarEntry('sc-02-data-tree-r-last.dat', tree))
  })
  const fetched = await new Fetch(options('directory')).run()
  t.is(fetched.etag, null)
  t.is(fetched.bytes, 100_064)
  t.deepEqual(readdirSync(target).sort(), ['p_aux', 'sc-02-data-tree-r-last.dat'])
  t.true(readFileSync(join(target, 'p_aux')).equals(aux))
  t.true(readFileSync(join(target, 'sc-02-data-tree-r-last.dat')).equals(tree))
})

test('a name that no cache has fails the whole directory', async (t) => {
  const { directory, options } = await serve(t, (_request, response) => {
    response.writeHead(200, TAR).write(tarEntry('p_aux', Buffer.alloc(64)))
    response.end(tarEntry('../escaped', Buffer.alloc(64)))
  })
  const error = await failure(t, new Fetch(options('directory')), 'refused-name')
  t.is(error.path, '../escaped')
  t.deepEqual(readdirSync(directory), [])
})

test('a status becomes a code, with everything absent null', async (t) => {
  const cases: [number, FetchErrorCode][] = [
    [404, 'not-here'],
    [500, 'not-here'],
    [401, 'unauthorized'],
    [503, 'network'],
  ]
  for (const [status, code] of cases) {
    const { options } = await serve(t, (_request, response) => response.writeHead(status).end())
    const error = await failure(t, new Fetch(options('file')), code)
    t.is(error.status, status)
    t.is(error.errno, null)
    t.is(error.path, null)
    t.is(error.bytesDone, 0)
  }
})

test('a connection that is destroyed in the middle is incomplete, and nothing stays', async (t) => {
  const { directory, options } = await serve(t, (_request, response) => {
    response.writeHead(200, { ...FILE, 'content-length': 1_000_000 })
    response.write(Buffer.alloc(500_000), () => response.destroy())
  })
  await failure(t, new Fetch(options('file')), 'incomplete')
  t.deepEqual(readdirSync(directory), [])
})

test('a silent server times out, and a cancelled fetch ends', async (t) => {
  const { directory, options } = await serve(t, (_request, response) => {
    response.writeHead(200, { ...FILE, 'content-length': 10 }).write('12345')
  })
  await failure(t, new Fetch({ ...options('file'), progressTimeoutMs: 50 }), 'timeout')
  const fetch = new Fetch(options('file'))
  const ended = failure(t, fetch, 'cancelled')
  fetch.cancel()
  await ended
  t.deepEqual(readdirSync(directory), [])
})

test('what is in the way stays', async (t) => {
  const { target, options } = await serve(t, (_request, response) => {
    response.writeHead(200, { ...FILE, 'content-length': 5 }).end('12345')
  })
  await new Fetch(options('file')).run()
  const error = await failure(t, new Fetch(options('file')), 'io')
  t.is(error.path, target)
  t.is(error.errno, 17, 'EEXIST')
  t.is(readFileSync(target, 'utf8'), '12345')
})

test('https is refused in words, and a fetch runs once', async (t) => {
  const { options } = await serve(t, (_request, response) => response.writeHead(404).end())
  const fetch = new Fetch({ ...options('file'), url: 'https://127.0.0.1/remote/sealed/s-t01000-7' })
  const error = await failure(t, fetch, 'network')
  t.regex(error.message, /https is not supported/)
  await t.throwsAsync(fetch.run(), { message: /only once/ })
  t.throws(() => new Fetch({ ...options('file'), progressTimeoutMs: Number.NaN }), {
    message: /progressTimeoutMs/,
  })
})

/** A server of one file that answers a range as lotus does, and cuts its first answer. */
function cutOnce(content: Buffer, at: number): { answer: RequestListener; ranges: (string | undefined)[] } {
  const ranges: (string | undefined)[] = []
  return {
    ranges,
    answer: (request, response) => {
      const range = request.headers.range
      ranges.push(range)
      const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
      const isValid = range === undefined || request.headers['if-range'] === '"1-2"'
      const head = { ...FILE, etag: '"1-2"', 'content-length': content.length - start }
      const part = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }
      response.writeHead(
        range === undefined ? 200 : isValid ? 206 : 416,
        range === undefined ? head : { ...head, ...part },
      )
      if (ranges.length > 1) response.end(content.subarray(start))
      else response.write(content.subarray(0, at), () => response.destroy())
    },
  }
}

test('a cut download goes on from its record', async (t) => {
  const content = Buffer.from(Array.from({ length: 3_500_000 }, (_, at) => (at * 7 + (at >> 8)) % 251))
  const { answer, ranges } = cutOnce(content, 2_500_000)
  const { directory, target, options } = await serve(t, answer)
  const order = { ...options('file'), record: join(directory, 's-t01000-7.2') }
  const error = await failure(t, new Fetch(order), 'incomplete')
  t.is(error.bytesKept, 2 << 20)
  t.deepEqual(readdirSync(directory).sort(), ['s-t01000-7.1', 's-t01000-7.2'])
  const fetched = await new Fetch({ ...order, expectedBytes: content.length }).run()
  t.is(fetched.bytesResumed, 2 << 20)
  t.true(readFileSync(target).equals(content))
  t.deepEqual(ranges, [undefined, `bytes=${(2 << 20) - (256 << 10)}-`])
})

test('a length or a hash that was expected is demanded', async (t) => {
  const content = Buffer.alloc(5000, 'x')
  const { directory, options } = await serve(t, (_request, response) => {
    response.writeHead(200, { ...FILE, 'content-length': content.length }).end(content)
  })
  await failure(t, new Fetch({ ...options('file'), expectedBytes: 4999 }), 'incomplete')
  await failure(t, new Fetch({ ...options('file'), expectedHash: '0'.repeat(64) }), 'damaged')
  t.deepEqual(readdirSync(directory), [])
  t.throws(() => new Fetch({ ...options('file'), expectedHash: 'short' }), { message: /64 hexadecimal/ })
  t.throws(() => new Fetch({ ...options('file'), expectedBytes: -1 }), { message: /whole number/ })
})

test('a limit holds a download back until it is lifted', async (t) => {
  const content = Buffer.alloc(600_000, 'x')
  const { options } = await serve(t, (_request, response) => {
    response.writeHead(200, { ...FILE, 'content-length': content.length }).end(content)
  })
  const limits = new FetchLimits()
  limits.set({ bytesPerSecond: 1000, bytesPerSecondPerPeer: null })
  const fetch = new Fetch({ ...options('file'), limits })
  const running = fetch.run()
  while (fetch.progress().heldBackMs === 0) await new Promise(setImmediate)
  t.true(fetch.progress().doneBytes < content.length)
  limits.set({ bytesPerSecond: null, bytesPerSecondPerPeer: null })
  t.is((await running).bytes, content.length)
  t.throws(() => limits.set({ bytesPerSecond: 0.5, bytesPerSecondPerPeer: null }), {
    message: /whole number/,
  })
})

test('a paused download receives nothing, and an interrupted one keeps what it has', async (t) => {
  const content = Buffer.alloc(3_000_000, 'x')
  const { directory, options } = await serve(t, (_request, response) => {
    response.writeHead(200, { ...FILE, 'content-length': 4_000_000, etag: '"1-2"' }).write(content)
  })
  const fetch = new Fetch({ ...options('file'), record: join(directory, 's-t01000-7.2') })
  fetch.pause()
  const failed = failure(t, fetch, 'interrupted')
  while (fetch.progress().heldBackMs === 0) await new Promise(setImmediate)
  t.is(fetch.progress().doneBytes, 0)
  fetch.proceed()
  while (fetch.progress().doneBytes < content.length) await new Promise(setImmediate)
  fetch.interrupt()
  t.is((await failed).bytesKept, 2 << 20)
})
