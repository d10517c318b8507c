import test from 'ava'
import type { LogFields } from '../../src/base/log.ts'
import { ChildLog } from '../../src/proofs/child-log.ts'

function listener() {
  const heard: [level: string, message: string, fields: LogFields | undefined][] = []
  const hear = (level: string) => (message: string, fields?: LogFields) =>
    void heard.push([level, message, fields])
  const logger = { debug: hear('debug'), info: hear('info'), warn: hear('warn'), error: hear('error') }
  return { heard, log: new ChildLog(logger, { task: 'finalize' }) }
}

test('JSON lines keep their level, other lines are passed on as they are', (t) => {
  const { heard, log } = listener()
  log.push(
    Buffer.from('{"level":"warn","target":"crate","msg":"careful"}\nplain\n{"level":"trace","msg":"x"}\n'),
    0,
  )
  t.deepEqual(heard, [
    ['warn', 'careful', { task: 'finalize', target: 'crate' }],
    ['info', 'plain', { task: 'finalize' }],
    ['debug', 'x', { task: 'finalize' }],
  ])
  t.is(log.lastWords, 'careful; plain; x')
})

test('a flood is summed up, and the last words are still the last', (t) => {
  const { heard, log } = listener()
  log.push(Buffer.from(Array.from({ length: 1000 }, (_, at) => `line ${at}\n`).join('')), 0)
  log.push(Buffer.from('a second later\n'), 1000)
  log.end()
  t.is(heard.length, 202)
  t.deepEqual(heard.at(-1), ['warn', 'the child logged too much', { task: 'finalize', suppressed: 800 }])
  t.true(log.lastWords.endsWith('line 999; a second later'))
})
