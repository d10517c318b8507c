import test from 'ava'
import { z } from 'zod'
import { method, nothing } from '../../src/protocol/method.ts'
import { createDispatcher } from '../../src/protocol/rpc-server.ts'
import { SocketSession } from '../../src/protocol/rpc-websocket.ts'

const table = {
  'Filecoin.Echo': method({ permission: 'read', params: [z.string()], result: z.string(), summary: 's' }),
  'Filecoin.Wait': method({ permission: 'read', params: [], result: nothing, summary: 's' }),
}
const dispatcher = createDispatcher(table, {
  Echo: async (text) => text,
  Wait: () => new Promise<void>(() => undefined),
})

/** What a session would put on its socket. */
function session(unsentBytes = 0) {
  const sent: string[] = []
  const closed: number[] = []
  const end = {
    send: (text: string) => void sent.push(text),
    ping: () => undefined,
    close: (code: number) => void closed.push(code),
    destroy: () => void closed.push(0),
    unsentBytes: () => unsentBytes,
  }
  return { served: new SocketSession(dispatcher, { permissions: ['read'] }, end), sent, closed }
}

test('calls on a socket are answered as over HTTP, whichever is ready first', async (t) => {
  const { served, sent } = session()
  void served.message('{"id":1,"method":"Filecoin.Wait"}')
  await served.message('{"id":2,"method":"Filecoin.Echo","params":["a"]}')
  await served.message('no json')
  served.ended()
  t.deepEqual(sent, [
    '{"id":2,"jsonrpc":"2.0","result":"a"}\n',
    '{"error":{"code":-32700,"message":"Parse error"},"id":null,"jsonrpc":"2.0"}\n',
  ])
})

test('a cancelled call is answered once', async (t) => {
  const { served, sent } = session()
  const waiting = served.message('{"id":"w","method":"Filecoin.Wait"}')
  await served.message('{"method":"xrpc.cancel","params":["other"]}')
  t.deepEqual(sent, [])
  await served.message('{"method":"xrpc.cancel","params":["w"]}')
  await waiting
  served.ended()
  t.deepEqual(sent, ['{"error":{"code":1,"message":"context canceled"},"id":"w","jsonrpc":"2.0"}\n'])
})

test('a socket has a limit of open calls', async (t) => {
  const { served, sent } = session()
  for (let id = 0; id < 256; id++) void served.message(`{"id":${id},"method":"Filecoin.Wait"}`)
  await served.message('{"id":300,"method":"Filecoin.Echo","params":["a"]}')
  served.ended()
  t.is(sent.length, 1)
  t.regex(sent[0] ?? '', /more than 256 calls at once/)
})

test('who does not read answers is disconnected', async (t) => {
  const { served, sent, closed } = session(65 * 2 ** 20)
  for (const id of [2, 3]) await served.message(`{"id":${id},"method":"Filecoin.Echo","params":["a"]}`)
  served.ended()
  t.deepEqual([sent, closed], [[], [0]], 'once, and without a farewell that nobody would read')
})
