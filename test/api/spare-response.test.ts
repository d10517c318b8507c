import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const HOST = fileURLToPath(new URL('../../src/api/http-host.ts', import.meta.url))
const SOCKETS = 40

/** Admits each socket after an await that leaves the tick, and has each echo one message. */
const CHILD = `
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import { HttpHost } from ${JSON.stringify(HOST)}
const host = await HttpHost.listen({
  log: { warn: console.error, error: console.error },
  answer: async () => ({ status: 404 }),
  admit: () => new Promise((resolve) => setImmediate(resolve, { permissions: [] })),
  session: (_caller, end) => ({ heard() {}, ended() {}, message: async (text) => end.send(text) }),
})
let echoed = 0
for (let index = 0; index < ${SOCKETS}; index++) {
  const createConnection = () => connect({ port: host.port, host: '127.0.0.1', localAddress: '127.64.0.9' })
  const socket = new WebSocket('ws://127.0.0.1:' + host.port + '/rpc/v0', { createConnection })
  await new Promise((resolve) => {
    socket.on('open', () => socket.send('hello'))
    socket.on('message', () => { echoed += 1; socket.close() })
    socket.on('error', () => undefined)
    socket.on('close', resolve)
  })
}
console.log(String(echoed))
process.exit(0)
`

test('a socket admitted after an await stays open, whatever lies in freed memory', async (t) => {
  // glibc fills what is freed: with this pattern, what uWebSockets must not read says "close the connection".
  const env = { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.perturb=85' }
  const args = ['--import=tsx', '--input-type=module', '-e', CHILD]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env, timeout: 60_000 })
  t.is(stdout.trim(), String(SOCKETS))
  t.is(stderr, '', 'and uWebSockets has nothing to complain of')
})
