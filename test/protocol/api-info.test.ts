import test from 'ava'
import {
  formatApiInfo,
  formatMultiaddr,
  parseApiInfo,
  parseListenAddress,
  parseMultiaddr,
} from '../../src/protocol/api-info.ts'

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJBbGxvdyI6WyJhZG1pbiJdfQ.a_b-c'

const infos: [string, string, string][] = [
  [`${TOKEN}:/ip4/10.0.0.5/tcp/2345/http`, TOKEN, 'http://10.0.0.5:2345'],
  [`${TOKEN}:/ip6/::1/tcp/3456/http`, TOKEN, 'http://[::1]:3456'],
  [`${TOKEN}:/dns/seal-07.lan/tcp/3456/https\n`, TOKEN, 'https://seal-07.lan:3456'],
  [`${TOKEN}:http://10.0.0.5:2345/rpc/v0`, TOKEN, 'http://10.0.0.5:2345'],
  ['/ip4/10.0.0.5/tcp/2345', '', 'http://10.0.0.5:2345'],
  ['ws://10.0.0.5:2345', '', 'http://10.0.0.5:2345'],
]
for (const [text, token, url] of infos) {
  test(`reads ${text.replace(TOKEN, 'TOKEN').trim()}`, (t) => {
    t.deepEqual(parseApiInfo(text, 'SEALER_API_INFO'), { url, token })
  })
}

for (const text of [
  '',
  'nonsense',
  `${TOKEN}:/ip4/300.0.0.1/tcp/1/http`,
  `${TOKEN}:/ip4/1.2.3.4/udp/1`,
  '/ip4/1.2.3.4/tcp/99999',
]) {
  test(`refuses '${text.replace(TOKEN, 'TOKEN')}' without repeating a token`, (t) => {
    const error = t.throws(() => parseApiInfo(text, 'SEALER_API_INFO'), { code: 'BAD_API_INFO' })
    t.regex(error?.message ?? '', /SEALER_API_INFO is not TOKEN:MULTIADDR/)
    t.false((error?.message ?? '').includes(TOKEN))
  })
}

test('what auth api-info prints is read back', (t) => {
  for (const url of ['http://10.0.0.5:2345', 'http://[::1]:3456', 'https://seal-07.lan:3456']) {
    t.deepEqual(parseApiInfo(formatApiInfo({ token: TOKEN, url }), 'X'), { token: TOKEN, url })
  }
})

test('a listening address is a multiaddr or host:port', (t) => {
  t.deepEqual(parseListenAddress('/ip4/127.0.0.1/tcp/2345/http'), { host: '127.0.0.1', port: 2345 })
  t.deepEqual(parseListenAddress('0.0.0.0:3456'), { host: '0.0.0.0', port: 3456 })
  t.deepEqual(parseListenAddress('[::]:0'), { host: '::', port: 0 })
  t.deepEqual(parseListenAddress(':3456'), { host: '0.0.0.0', port: 3456 })
  t.throws(() => parseListenAddress('127.0.0.1'), { code: 'BAD_ADDRESS' })
  t.throws(() => parseListenAddress('127.0.0.1:70000'), { code: 'BAD_ADDRESS' })
  t.is(parseMultiaddr(formatMultiaddr('127.0.0.1', 2345)), 'http://127.0.0.1:2345')
})
