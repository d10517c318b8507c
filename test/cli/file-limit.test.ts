import test from 'ava'
import { affordableConnections, assertOpenFileLimit, openFileLimit } from '../../src/cli/file-limit.ts'

const table = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max processes             127000               127000               processes
Max open files            ${soft.padEnd(20)} 1048576              files
Max locked memory         8388608              8388608              bytes
`

test('reads the soft limit that holds for this process, as /proc shows it', (t) => {
  t.is(openFileLimit(table('1024')), 1024)
  t.is(openFileLimit(table('unlimited')), Number.POSITIVE_INFINITY)
  t.is(openFileLimit(''), Number.POSITIVE_INFINITY)
})

test('refuses a limit below what a daemon needs, and says both numbers', async (t) => {
  await t.notThrowsAsync(assertOpenFileLimit(10))
  await t.throwsAsync(assertOpenFileLimit(2 ** 40), {
    code: 'FILE_LIMIT',
    message: /may have \d+ files open, a daemon needs at least 1099511627776; .*LimitNOFILE=100000/,
  })
})

test('connections leave open files for the work itself', (t) => {
  t.is(affordableConnections(4096, Number.POSITIVE_INFINITY), 4096)
  t.is(affordableConnections(4096, 100_000), 4096)
  t.is(affordableConnections(4096, 4096), 1024)
})
