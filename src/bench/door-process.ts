import { openDoor } from '../api/front-door.ts'
import { Log } from '../base/log.ts'

/** The front door alone: no RPC stands behind it, and only one token is good. */
const { file, token } = JSON.parse(process.argv[2] ?? '') as { file: string; token: string }

const ttlMs = 3_600_000
const door = openDoor({
  host: '127.0.0.1',
  port: 0,
  // The discard port: only sector files are asked for, so nothing goes through.
  upstreamPort: 9,
  verifier: {
    verify: async (given) =>
      given === token ? { outcome: 'known', permissions: ['admin'], ttlMs } : { outcome: 'denied', ttlMs },
  },
  log: new Log({ format: 'text', level: 'warn' }).logger('door'),
})
door.publications.publish('bench', 'sealed', 's-t01000-1', file)
process.send?.(door.port)
// An open door does not keep the process alive; the channel to the parent does, and ends with it.
process.on('disconnect', () => process.exit())
