import { openDoor } from '../api/front-door.ts'
import { HttpHost } from '../api/http-host.ts'
import { Log } from '../base/log.ts'
import type { DoorArgument } from './servers.ts'

/**
 * The front door with hyper-express behind it, as a node has them, but with one good token, and one small answer to
 * whatever is not a sector file.
 */
const { host, token, files } = JSON.parse(process.argv[2] ?? '') as DoorArgument

const ttlMs = 3_600_000
/** Above what any case opens: a door's own limits are not what is measured. */
const CONNECTIONS = 1024
const log = new Log({ format: 'text', level: 'warn' }).logger('door')
const http = await HttpHost.listen({
  log,
  answer: async (request) => {
    const { id } = JSON.parse(Buffer.from(await request.body()).toString('utf8')) as { id: number }
    const body = JSON.stringify({ jsonrpc: '2.0', id, result: 'bench' })
    return { status: 200, headers: { 'content-type': 'application/json' }, body }
  },
  admit: async () => ({ status: 404 }),
  session: () => {
    throw new Error('no socket was admitted')
  },
})
const door = openDoor({
  host,
  port: 0,
  upstreamPort: http.port,
  verifier: {
    verify: async (given) =>
      given === token ? { outcome: 'known', permissions: ['admin'], ttlMs } : { outcome: 'denied', ttlMs },
  },
  parallelTransfers: CONNECTIONS,
  maxConnections: CONNECTIONS,
  maxConnectionsPerAddress: CONNECTIONS,
  log,
})
for (const { type, name, path } of files) door.publications.publish('bench', type, name, path)
process.on('disconnect', () => process.exit())
process.send?.(door.port)
