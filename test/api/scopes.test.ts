import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { SealerTokens } from '../../src/api/auth.ts'
import { type Node, startNode } from '../../src/api/node.ts'
import type { RemoteBackend } from '../../src/api/remote-routes.ts'
import { formatScope, parseScope, type StorageScope, scopesAllow } from '../../src/api/scopes.ts'
import { WorkerTokenVerifier } from '../../src/api/worker-tokens.ts'
import { FakeClock } from '../../src/base/clock.ts'
import { Log } from '../../src/base/log.ts'
import { sectorName } from '../../src/sectors/sector-id.ts'

const READ: StorageScope = { action: 'read', path: null }
const DELETE_ONE: StorageScope = { action: 'delete', path: 'sealed/s-t01000-7' }

test('a scope is written as it is read, and what is no scope is none', (t) => {
  for (const text of [
    'read-storage',
    'write-storage',
    'delete-storage',
    'read-storage:update-cache',
    'delete-storage:sealed/s-t01000-7',
    'read-storage:cache/s-t00-0',
  ]) {
    const scope = parseScope(text)
    t.is(scope === null ? null : formatScope(scope), text)
  }
  for (const text of [
    'admin',
    'read',
    'read-storage:',
    'read-storage:fetching',
    'read-storage:sealed/',
    'read-storage:sealed/s-t01000-007',
    'read-storage:sealed/s-t01000-7/p_aux',
    'read-storage:sealed/../cache',
    'write-storage:sealed',
    'READ-STORAGE',
    ' read-storage',
    'read-storage\n',
  ]) {
    t.is(parseScope(text), null, text)
  }
})

test('a scope allows its action below its path and nothing beside it', (t) => {
  const file = '/remote/sealed/s-t01000-7'
  const table: [string, string, string, boolean][] = [
    ['read-storage', 'GET', file, true],
    ['read-storage', 'HEAD', file, true],
    ['read-storage', 'GET', '/remote/stat/p1', true],
    ['read-storage', 'DELETE', file, false],
    ['read-storage', 'POST', '/remote/vanilla/single', false],
    ['read-storage', 'GET', '/rpc/v0', false],
    ['read-storage', 'GET', '/remotesealed', false],
    ['read-storage:sealed', 'GET', file, true],
    ['read-storage:sealed', 'GET', '/remote/stat/p1', false],
    ['read-storage:cache', 'GET', file, false],
    ['read-storage:sealed/s-t01000-7', 'GET', file, true],
    ['read-storage:sealed/s-t01000-7', 'GET', `${file}0`, false],
    ['read-storage:unsealed/s-t01000-7', 'GET', '/remote/unsealed/s-t01000-7/6/allocated/0/127', true],
    ['read-storage:cache/s-t01000-7', 'GET', '/remote/cache/s-t01000-7/p_aux', true],
    ['delete-storage:sealed/s-t01000-7', 'DELETE', file, true],
    ['delete-storage:sealed/s-t01000-7', 'DELETE', '/remote/sealed/s-t01000-8', false],
    ['delete-storage', 'GET', file, false],
    ['write-storage', 'DELETE', file, false],
  ]
  for (const [scope, method, path, may] of table) {
    const parsed = parseScope(scope)
    t.is(scopesAllow(parsed === null ? [] : [parsed], method, path), may, `${scope}: ${method} ${path}`)
  }
})

async function inRepo<T>(use: (repo: string) => Promise<T>): Promise<T> {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-scopes-'))
  try {
    return await use(repo)
  } finally {
    await rm(repo, { recursive: true })
  }
}

test('the sealer signs scopes and a lifetime, and a worker learns them by asking', async (t) => {
  await inRepo(async (repo) => {
    const clock = new FakeClock()
    const tokens = await SealerTokens.open(repo, clock)
    const token = await tokens.create([], 30, [READ, DELETE_ONE])
    const own = await tokens.verify(token)
    t.like(own, { outcome: 'known', permissions: [], scopes: [READ, DELETE_ONE], ttlMs: 30_000 })
    const worker = new WorkerTokenVerifier({ ask: (each) => tokens.permissionsOf(each), clock })
    t.like(await worker.verify(token), { outcome: 'known', permissions: [], scopes: [READ, DELETE_ONE] })
    const swapped = token.replace(
      /\.[^.]+\./,
      `.${Buffer.from('{"Allow":["delete-storage"]}').toString('base64url')}.`,
    )
    t.like(await tokens.verify(swapped), { outcome: 'denied' })
    await clock.advance(60_000)
    t.like(await tokens.verify(token), { outcome: 'denied' })
  })
})

interface Served {
  readonly node: Node
  readonly removed: string[]
  readonly tokens: SealerTokens
}

async function withNode(use: (served: Served) => Promise<void>): Promise<void> {
  await inRepo(async (repo) => {
    const tokens = await SealerTokens.open(repo)
    const log = new Log({ format: 'json', level: 'error', write: () => undefined })
    const node = await startNode({ listen: '127.0.0.1:0', verifier: tokens, log })
    await mkdir(join(repo, 'sealed'))
    await writeFile(join(repo, 'sealed/s-t01000-7'), 'sealed')
    node.publications.publish('p1', 'sealed', 's-t01000-7', join(repo, 'sealed/s-t01000-7'))
    const removed: string[] = []
    const remote = {
      serveFound: async () => false,
      remove: async (sector, type) => void removed.push(`${type} ${sectorName(sector)}`),
    } as Partial<RemoteBackend> as RemoteBackend
    node.serve({ table: {}, implementation: {}, remote })
    try {
      await use({ node, removed, tokens })
    } finally {
      await node.close(0)
    }
  })
}

test('the door and the routes behind it keep a token to its scopes', async (t) => {
  await withNode(async ({ node, removed, tokens }) => {
    const ask = async (token: string, method: string, path: string) => {
      const response = await fetch(`${node.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
      })
      await response.arrayBuffer()
      return response.status
    }
    const file = '/remote/sealed/s-t01000-7'
    const reader = await tokens.create([], 3600, [{ action: 'read', path: 'sealed/s-t01000-7' }])
    t.is(await ask(reader, 'GET', file), 200)
    t.is(await ask(reader, 'DELETE', file), 401)
    // Another sector, which the door does not know: the routes behind it are asked, and refuse.
    t.is(await ask(reader, 'GET', '/remote/sealed/s-t01000-8'), 401)
    t.is(await ask(reader, 'GET', '/remote/stat/p1'), 401)
    const remover = await tokens.create([], 3600, [{ action: 'delete', path: 'sealed/s-t01000-7' }])
    t.is(await ask(remover, 'GET', file), 401)
    t.is(await ask(remover, 'DELETE', '/remote/sealed/s-t01000-8'), 401)
    t.deepEqual(removed, [])
    t.is(await ask(remover, 'DELETE', file), 200)
    t.deepEqual(removed, ['sealed s-t01000-7'])
    const writer = await tokens.create([], 3600, [{ action: 'write', path: null }])
    t.is(await ask(writer, 'GET', file), 401)
  })
})
