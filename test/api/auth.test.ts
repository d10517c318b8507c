import { createHmac } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { SealerTokens } from '../../src/api/auth.ts'
import { authenticate } from '../../src/api/authenticate.ts'
import type { HttpRequest } from '../../src/api/http-types.ts'
import { readSecretFile, writeSecretFile } from '../../src/api/token-file.ts'
import { WorkerTokenVerifier } from '../../src/api/worker-tokens.ts'
import { FakeClock } from '../../src/base/clock.ts'
import { ConnectionError, RpcError } from '../../src/protocol/errors.ts'

async function inRepo<T>(use: (repo: string) => Promise<T>): Promise<T> {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-auth-'))
  try {
    return await use(repo)
  } finally {
    await rm(repo, { recursive: true })
  }
}

const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token made by hand, to be wrong in one way each. */
function forge(secret: Buffer, header: unknown, payload: unknown, hash = 'sha256'): string {
  const signed = `${b64(header)}.${b64(payload)}`
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`
}

async function secretOf(repo: string): Promise<Buffer> {
  const text = await readFile(join(repo, 'keystore/auth-jwt-private'), 'utf8')
  return Buffer.from((JSON.parse(text) as { PrivateKey: string }).PrivateKey, 'base64')
}

test('a token is what lotus makes, and the secret file is as lotus writes it', async (t) => {
  await inRepo(async (repo) => {
    const tokens = await SealerTokens.open(repo)
    const token = await tokens.create(['read', 'write', 'sign', 'admin'])
    const [header = '', payload = ''] = token.split('.')
    t.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'HS256', typ: 'JWT' })
    t.is(Buffer.from(payload, 'base64url').toString(), '{"Allow":["read","write","sign","admin"]}')
    t.is((await secretOf(repo)).length, 32)
    t.is((await stat(join(repo, 'keystore/auth-jwt-private'))).mode & 0o777, 0o600)
    const again = await SealerTokens.open(repo)
    t.deepEqual(await again.permissionsOf(token), ['read', 'write', 'sign', 'admin'])
    t.like(await again.verify(token), { outcome: 'known' })
  })
})

const HS256 = { alg: 'HS256', typ: 'JWT' }
const ADMIN = { Allow: ['admin'] }
const now = () => Math.floor(Date.now() / 1000)
const wrong: [string, (secret: Buffer) => string][] = [
  ['alg none', () => `${b64({ alg: 'none' })}.${b64(ADMIN)}.`],
  ['alg nOnE, with a signature', (secret) => forge(secret, { alg: 'nOnE' }, ADMIN)],
  ['alg HS512, rightly signed', (secret) => forge(secret, { alg: 'HS512' }, ADMIN, 'sha512')],
  ['no alg', (secret) => forge(secret, { typ: 'JWT' }, ADMIN)],
  ['an empty signature', (secret) => `${forge(secret, HS256, ADMIN).replace(/[^.]+$/, '')}`],
  ['another secret', () => forge(Buffer.alloc(32, 1), HS256, ADMIN)],
  [
    'a changed payload',
    (secret) => forge(secret, HS256, { Allow: ['read'] }).replace(/\.[^.]+\./, `.${b64(ADMIN)}.`),
  ],
  ['an unknown crit', (secret) => forge(secret, { ...HS256, crit: ['x'], x: 1 }, ADMIN)],
  ['exp that is no number', (secret) => forge(secret, HS256, { ...ADMIN, exp: 'never' })],
  ['no Allow', (secret) => forge(secret, HS256, {})],
  ['Allow that is a text', (secret) => forge(secret, HS256, { Allow: 'admin' })],
  ['a payload that is no object', (secret) => forge(secret, HS256, '7')],
  ['Allow named twice, with admin first', (secret) => forge(secret, HS256, '{"Allow":["admin"],"Allow":{}}')],
  ['alg named twice', (secret) => forge(secret, '{"alg":"HS256","alg":"none"}', ADMIN)],
  ['Allow in letters that only look alike', (secret) => forge(secret, HS256, { Аllow: ['admin'] })],
  ['alg HS256 in full-width letters', (secret) => forge(secret, { alg: 'ＨＳ２５６' }, ADMIN)],
  [
    'alg RS256, signed with the secret as if it were a key',
    (secret) => forge(secret, { alg: 'RS256' }, ADMIN),
  ],
  ['four parts', (secret) => `${forge(secret, HS256, ADMIN)}.x`],
  ['a signature that is cut', (secret) => forge(secret, HS256, ADMIN).slice(0, -4)],
  ['huge', (secret) => forge(secret, HS256, { ...ADMIN, pad: 'x'.repeat(10_000) })],
  ['empty', () => ''],
  ['words', () => 'not a token'],
]
for (const [title, make] of wrong) {
  test(`denies a token that is ${title}`, async (t) => {
    await inRepo(async (repo) => {
      const tokens = await SealerTokens.open(repo)
      const token = make(await secretOf(repo))
      t.like(await tokens.verify(token), { outcome: 'denied' })
      await t.throwsAsync(tokens.permissionsOf(token), {
        code: 'BAD_TOKEN',
        message: /^JWT Verification failed/,
      })
    })
  })
}

const untimely: [string, Record<string, unknown>, RegExp][] = [
  ['expired', { exp: now() - 60 }, /^the token expired at \d{4}-\S+Z, it is \S+Z here; make a new one/],
  [
    'not yet valid',
    { nbf: now() + 60 },
    /^the token is valid from \S+Z, it is \S+Z here; one of the two clocks/,
  ],
  ['made in the future', { iat: now() + 60 }, /one of the two clocks is wrong/],
]
for (const [title, claims, reason] of untimely) {
  test(`says what the clock has against its own token that is ${title}, and nothing of a foreign one`, async (t) => {
    await inRepo(async (repo) => {
      const tokens = await SealerTokens.open(repo)
      const denied = await tokens.verify(forge(await secretOf(repo), HS256, { ...ADMIN, ...claims }))
      t.regex((denied.outcome === 'denied' ? denied.reason : undefined) ?? '', reason)
      const foreign = forge(Buffer.alloc(32, 1), HS256, { ...ADMIN, ...claims })
      t.deepEqual(await tokens.verify(foreign), { outcome: 'denied', ttlMs: 2000 })
      const own = forge(await secretOf(repo), HS256, { ...ADMIN, ...claims })
      await t.throwsAsync(tokens.permissionsOf(own), {
        code: 'TOKEN_TIME',
        message: /^JWT Verification failed: the token/,
      })
    })
  })
}

test('a rightly made token of lotus is known, unknown permissions in it are nothing', async (t) => {
  await inRepo(async (repo) => {
    const tokens = await SealerTokens.open(repo)
    const token = forge(
      await secretOf(repo),
      { ...HS256, kid: '../../etc/passwd', jku: 'http://x' },
      { Allow: ['read', 'root'] },
    )
    t.like(await tokens.verify(token), { outcome: 'known', permissions: ['read'] })
  })
})

test('a token with a lifetime is believed no longer than it lives', async (t) => {
  await inRepo(async (repo) => {
    const clock = new FakeClock()
    const tokens = await SealerTokens.open(repo, clock)
    const token = await tokens.create(['read'], 30)
    const verdict = await tokens.verify(token)
    t.true(verdict.outcome === 'known' && verdict.ttlMs === 30_000)
    await clock.advance(36_000)
    t.like(await tokens.verify(token), { outcome: 'denied' })
  })
})

test('refuses a secret or token that others may read, and one that is no secret', async (t) => {
  await inRepo(async (repo) => {
    await SealerTokens.open(repo)
    const file = join(repo, 'keystore/auth-jwt-private')
    await chmod(file, 0o644)
    await t.throwsAsync(SealerTokens.open(repo), { code: 'SECRET_EXPOSED', message: /mode 0644.*chmod 600/ })
    await writeFile(file, '{"Type":"jwt-hmac-secret","PrivateKey":"c2hvcnQ="}')
    await chmod(file, 0o600)
    await t.throwsAsync(SealerTokens.open(repo), { code: 'BAD_SECRET' })
    const token = join(repo, 'token')
    await writeSecretFile(token, 'abc')
    t.is((await stat(token)).mode & 0o777, 0o600)
    t.is(await readSecretFile(token), 'abc')
    t.is(await readSecretFile(join(repo, 'none')), null)
    await chmod(token, 0o640)
    await t.throwsAsync(writeSecretFile(token, 'def'), { code: 'SECRET_EXPOSED' })
  })
})

const rpcRefusal = () => new RpcError({ rpcCode: 1, method: 'Filecoin.AuthVerify', url: 'u', message: 'no' })
const away = () => new ConnectionError({ message: 'away' })

test('a worker asks once a minute per token, also when many ask at once', async (t) => {
  const clock = new FakeClock()
  let asked = 0
  const verifier = new WorkerTokenVerifier({
    clock,
    ask: async () => {
      asked += 1
      return ['admin']
    },
  })
  await Promise.all([verifier.verify('a'), verifier.verify('a'), verifier.verify('a')])
  await clock.advance(59_000)
  t.like(await verifier.verify('a'), { outcome: 'known', permissions: ['admin'] })
  t.is(asked, 1)
  await clock.advance(2_000)
  await verifier.verify('a')
  t.is(asked, 2)
})

test('while the sealer is away a known token stays known, until it expires itself; others cannot be told', async (t) => {
  const clock = new FakeClock()
  const forever = forge(Buffer.alloc(32), HS256, ADMIN)
  const short = forge(Buffer.alloc(32), HS256, { ...ADMIN, exp: clock.now() / 1000 + 600 })
  let sealer: () => string[] = () => ['admin']
  const verifier = new WorkerTokenVerifier({ clock, ask: async () => sealer() })
  await verifier.verify(forever)
  await verifier.verify(short)
  sealer = () => {
    throw away()
  }
  await clock.advance(300_000)
  t.like(await verifier.verify(forever), { outcome: 'known' })
  t.like(await verifier.verify(short), { outcome: 'known' })
  t.deepEqual(await verifier.verify('unknown'), { outcome: 'unavailable' })
  await clock.advance(301_000)
  t.like(await verifier.verify(forever), { outcome: 'known' })
  t.deepEqual(await verifier.verify(short), { outcome: 'unavailable' })
  await clock.advance(3_600_000)
  t.deepEqual(await verifier.verify(forever), { outcome: 'unavailable' })
  sealer = () => {
    throw rpcRefusal()
  }
  t.like(await verifier.verify(forever), { outcome: 'denied' })
})

test('a denial is short: a token made a moment later is known', async (t) => {
  const clock = new FakeClock()
  let sealer: () => string[] = () => {
    throw rpcRefusal()
  }
  const verifier = new WorkerTokenVerifier({ clock, ask: async () => sealer() })
  t.like(await verifier.verify('new'), { outcome: 'denied' })
  sealer = () => ['read']
  t.like(await verifier.verify('new'), { outcome: 'denied' })
  await clock.advance(2_000)
  t.like(await verifier.verify('new'), { outcome: 'known' })
})

function requestWith(query: string, authorization?: string): HttpRequest {
  return {
    method: 'GET',
    path: '/remote/stat/x',
    query,
    headers: authorization === undefined ? {} : { authorization },
    tunnel: '127.64.0.1',
    body: async () => new Uint8Array(),
  }
}

test('only a Bearer header says who asks; a token in the URL is refused in words', async (t) => {
  const verifier = { verify: async () => ({ outcome: 'known', permissions: ['read'], ttlMs: 1 }) as const }
  const ask = (query: string, header?: string) => authenticate(requestWith(query, header), verifier)
  t.deepEqual(await ask('', 'Bearer abc'), { permissions: ['read'] })
  t.deepEqual(await ask('keep=a.b'), { permissions: [] })
  for (const header of ['bearer abc', 'Basic abc', 'Bearer', 'Bearer ', 'Bearer a b']) {
    t.deepEqual(await ask('', header), { refusal: { status: 401 } }, header)
  }
  for (const query of ['token=abc', 'keep=a&token=abc', 'tok%65n=abc', 'token']) {
    const answer = await ask(query, 'Bearer abc')
    t.true('refusal' in answer && answer.refusal.status === 401, query)
    t.true('refusal' in answer && String(answer.refusal.body).includes('Authorization: Bearer'), query)
  }
})
