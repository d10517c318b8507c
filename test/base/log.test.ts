import test from 'ava'
import { consoleLine, Log, parseLogLevel, redactTokens } from '../../src/base/log.ts'

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJBbGxvdyI6WyJyZWFkIl19.c2lnbmF0dXJlLW9mLXRva2Vu'

function logTo(lines: string[], format: 'json' | 'text' = 'json') {
  return new Log({ format, level: 'info', levels: { rpc: 'error' }, write: (line) => lines.push(line) })
}

test('writes one JSON line per event with logger, level and msg', (t) => {
  const lines: string[] = []
  logTo(lines).logger('advmgr').info('SCHED windows: []', { sector: 's-t01000-7' })
  t.is(lines.length, 1)
  t.true(lines[0]?.endsWith('\n'))
  const { ts, ...rest } = JSON.parse(lines[0] ?? '')
  t.deepEqual(rest, { level: 'info', logger: 'advmgr', msg: 'SCHED windows: []', sector: 's-t01000-7' })
  t.false(Number.isNaN(Date.parse(ts)))
})

test('levels hold by subsystem and change while it runs', (t) => {
  const lines: string[] = []
  const log = logTo(lines)
  const [rpc, stores] = [log.logger('rpc'), log.logger('stores')]
  rpc.info('hidden')
  stores.debug('hidden')
  t.is(lines.length, 0)
  log.setLevel('rpc', 'debug')
  rpc.debug('shown')
  stores.debug('hidden')
  t.is(lines.length, 1)
  t.deepEqual(log.levels(), { rpc: 'debug', stores: 'info' })
  log.setLevel('*', 'warn')
  rpc.info('hidden')
  t.is(lines.length, 1)
})

test('shows no token, whether in a field, in a text or in a header', (t) => {
  const lines: string[] = []
  const logger = logTo(lines).logger('auth')
  logger.info(`SEALER_API_INFO=${TOKEN}:/ip4/127.0.0.1/tcp/2345/http`, { token: 'plain-secret' })
  logger.info('headers', { headers: { authorization: `Bearer ${TOKEN}` }, text: 'Bearer abc.def' })
  const all = lines.join('')
  t.false(all.includes(TOKEN))
  t.false(all.includes('plain-secret'))
  t.false(all.includes('abc.def'))
  t.true(all.includes('/ip4/127.0.0.1/tcp/2345/http'))
  for (const line of lines) t.notThrows(() => JSON.parse(line))
  t.is(redactTokens('nothing secret'), 'nothing secret')
})

test("prints lotus' console line when asked for text", (t) => {
  const lines: string[] = []
  logTo(lines, 'text').logger('advmgr').warn('SCHED Acceptable win: [[4 5]]', { task: 'PC1' })
  t.regex(
    lines[0] ?? '',
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}\tWARN\tadvmgr\tSCHED Acceptable win: \[\[4 5\]\]\t\{"task":"PC1"\}\n$/,
  )
})

test('the console line tells local time with its offset', (t) => {
  const line = consoleLine('{"level":"debug","ts":"2021-12-22T08:45:03.603Z","logger":"advmgr","msg":"x"}')
  const time = line.split('\t')[0] ?? ''
  t.is(new Date(time.replace(/(\d\d)$/, ':$1')).toISOString(), '2021-12-22T08:45:03.603Z')
})

test('a level for a subsystem that does not exist is refused with those that do', (t) => {
  const log = logTo([])
  log.logger('stores')
  log.logger('advmgr')
  t.throws(() => log.setLevel('nope', 'debug'), {
    code: 'UNKNOWN_SUBSYSTEM',
    message: "there is no subsystem 'nope'; there are advmgr, stores",
  })
})

test('refuses a level that does not exist', (t) => {
  t.is(parseLogLevel('WARN'), 'warn')
  t.throws(() => parseLogLevel('loud'), { code: 'BAD_LOG_LEVEL' })
})
