import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  FrontDoor,
  type FrontDoorEvent,
  type FrontDoorOptions,
  UploadError,
} from '../../src/native/front-door.ts'

const NAME = 's-t01000-7'
const UUID = '0c6a3c5e-5a2b-4b0e-9d8a-0123456789ab'

interface Site {
  readonly door: FrontDoor
  readonly port: number
  readonly root: string
  readonly asked: string[]
  readonly events: FrontDoorEvent[]
}

/** A door with a plain HTTP server behind it, closed when the test ends. */
async function open(t: ExecutionContext, options: Partial<FrontDoorOptions> = {}): Promise<Site> {
  const root = await mkdtemp(join(tmpdir(), 'sealyard-door-'))
  const upstream = createServer((incoming, response) => response.end(`behind ${incoming.url}`))
  const upstreamPort = await listen(upstream)
  const [asked, events]: [string[], FrontDoorEvent[]] = [[], []]
  const door = new FrontDoor({
    host: '127.0.0.1',
    port: 0,
    upstreamPort,
    authorize: async (token) => {
      asked.push(token)
      if (token === 'broken') throw new Error('the verifier broke')
      return { verdict: token === 'good' ? 'allowed' : 'denied', ttlMs: 60_000 }
    },
    onEvent: (event) => void events.push(event),
    ...options,
  })
  t.teardown(async () => {
    await door.close(0)
    upstream.closeAllConnections()
    upstream.close()
    await rm(root, { recursive: true })
  })
  return { door, port: door.start().port, root, asked, events }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function publish({ door, root }: Site, bytes: Buffer): Promise<string> {
  const path = join(root, 'sealed', NAME)
  await mkdir(join(root, 'sealed'), { recursive: true })
  await writeFile(path, bytes)
  door.publish('path-1', 'sealed', NAME, path)
  return path
}

interface Ask {
  readonly method?: string
  readonly token?: string
  readonly headers?: Record<string, string>
  readonly body?: Buffer
}

function ask({ port }: Site, path: string, { method = 'GET', token = '', headers = {}, body }: Ask = {}) {
  return new Promise<{ status: number; body: Buffer }>((resolve, reject) => {
    const authorization = token === '' ? {} : { authorization: `Bearer ${token}` }
    const outgoing = request({ port, path, method, agent: false, headers: { ...headers, ...authorization } })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
    })
    outgoing.end(body)
  })
}

test('a sector file is served, everything else is tunnelled', async (t) => {
  const site = await open(t)
  const bytes = Buffer.alloc(300_000, 'sector')
  await publish(site, bytes)
  const file = await ask(site, `/remote/sealed/${NAME}`, { token: 'good' })
  t.is(file.status, 200)
  t.true(file.body.equals(bytes))
  t.is((await ask(site, '/rpc/v0')).body.toString(), 'behind /rpc/v0')
  const { servedBytes, acceptedConnections, brokenTransfers } = site.door.stats()
  t.is(servedBytes.sealed, bytes.length)
  t.is(servedBytes['update-cache'], 0)
  t.deepEqual([acceptedConnections, brokenTransfers], [2, 0])
  t.true(site.door.unpublish('path-1', 'sealed', NAME))
  t.false(site.door.unpublish('path-1', 'sealed', NAME))
  const unknown = await ask(site, `/remote/sealed/${NAME}`, { token: 'good' })
  t.is(unknown.body.toString(), `behind /remote/sealed/${NAME}`, 'the control plane may know of it')
})

test('a token is judged once, and a broken verifier is an absent one', async (t) => {
  const site = await open(t)
  await publish(site, Buffer.from('x'))
  const path = `/remote/sealed/${NAME}`
  t.is((await ask(site, path, { token: 'good' })).status, 200)
  t.is((await ask(site, path, { token: 'good' })).status, 200)
  t.is((await ask(site, path, { token: 'bad' })).status, 401)
  t.is((await ask(site, path, { token: 'broken' })).status, 503)
  t.is((await ask(site, path, { token: 'broken' })).status, 503)
  t.deepEqual(site.asked, ['good', 'bad', 'broken', 'broken'])
})

test('a taken port is told by its errno', async (t) => {
  const { port } = await open(t)
  const options = { host: '127.0.0.1', upstreamPort: 1, authorize: () => Promise.reject(new Error('never')) }
  const second = new FrontDoor({ ...options, port })
  t.like(
    t.throws(() => second.start()),
    { code: 'EADDRINUSE' },
  )
  const nowhere = new FrontDoor({ ...options, host: '192.0.2.1', port: 0 })
  t.like(
    t.throws(() => nowhere.start()),
    { code: 'EADDRNOTAVAIL' },
  )
})

test('a pushed body arrives in its file', async (t) => {
  const site = await open(t)
  const target = join(site.root, 'piece')
  const body = Buffer.alloc(2_000_000, 'piece')
  const upload = site.door.expectUpload(UUID, target, body.length)
  const whole = upload.whole()
  const path = `/rpc/streams/v0/push/${UUID}`
  t.is((await ask(site, path, { method: 'HEAD' })).status, 200)
  t.is((await ask(site, path, { method: 'POST', body })).status, 200)
  t.is(await whole, body.length)
  t.true((await readFile(target)).equals(body))
  t.is(site.door.stats().receivedBytes, body.length)
})

test('a push that does not come is an UploadError', async (t) => {
  const site = await open(t, { uploadWaitMs: 30 })
  const target = join(site.root, 'piece')
  const late = await t.throwsAsync(site.door.expectUpload(UUID, target, 10).whole(), {
    instanceOf: UploadError,
  })
  t.like(late, { code: 'timeout', errno: null, path: target, bytesDone: 0 })
})

/** Events come on a later turn of the loop than the outcome they are about. */
async function toldOf({ events }: Site, name: string) {
  for (;;) {
    const told = events.find(({ event }) => event === name)
    if (told !== undefined) return told
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('closing settles what is expected, and an upload that fails is told', async (t) => {
  const site = await open(t)
  const target = join(site.root, 'piece')
  const large = site.door.expectUpload(UUID, target, 10)
  await t.throwsAsync(ask(site, `/rpc/streams/v0/push/${UUID}`, { method: 'POST', body: Buffer.alloc(11) }))
  t.like(await t.throwsAsync(large.whole()), { code: 'too-large', errno: null })
  t.like(await toldOf(site, 'upload-failed'), { level: 'warn', path: target, errno: null })
  const open_ = site.door.expectUpload(UUID, target, 10)
  await site.door.close(0)
  t.like(await t.throwsAsync(open_.whole()), { code: 'closed' })
  t.is(site.door.stats().connections, 0)
})

test('what makes no sense is refused, not wrapped', async (t) => {
  const { door, root } = await open(t)
  const path = join(root, 'x')
  const refused: [string, () => unknown][] = [
    ['type', () => door.publish('id', 'fetching' as 'sealed', NAME, path)],
    ['name', () => door.publish('id', 'sealed', 's-t01000-7junk', path)],
    ['relative path', () => door.publish('id', 'sealed', NAME, 'x')],
    ['uuid', () => door.expectUpload('7', path, 1)],
    ['negative limit', () => door.expectUpload(UUID, path, -1)],
    ['fraction', () => door.expectUpload(UUID, path, 1.5)],
    [
      'port',
      () => new FrontDoor({ host: '::', port: 65_536, upstreamPort: 1, authorize: () => Promise.reject() }),
    ],
  ]
  for (const [what, call] of refused) t.like(t.throws(call, undefined, what), { code: 'InvalidArg' }, what)
  t.is(door.peerOf('127.64.0.1'), null)
  t.is(door.peerOf('not an address'), null)
  t.false(door.handBack('127.64.0.1', `GET /remote/sealed/${NAME} HTTP/1.1\r\n\r\n`))
})

test('a listener that throws does not end the process', async (t) => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  const site = await open(t, {
    onEvent: () => {
      throw new Error('the log is broken')
    },
  })
  site.door.expectUpload(UUID, join(site.root, 'piece'), 1)
  await t.throwsAsync(ask(site, `/rpc/streams/v0/push/${UUID}`, { method: 'POST', body: Buffer.alloc(2) }))
  t.regex((await warned).message, /the log is broken/)
})

test('an open door does not keep the process alive', (t) => {
  const face = new URL('../../src/native/front-door.ts', import.meta.url).href
  const script = `
    import { FrontDoor } from '${face}'
    const authorize = async () => ({ verdict: 'denied', ttlMs: 0 })
    const door = new FrontDoor({ host: '127.0.0.1', port: 0, upstreamPort: 1, authorize })
    if (door.start().port > 0) console.log('open')`
  const args = ['--import=tsx', '--input-type=module', '--eval', script]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  t.is(stderr, '')
  t.deepEqual([status, stdout], [0, 'open\n'])
})
