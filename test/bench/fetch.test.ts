import test from 'ava'
import type { FetchReport } from '../../src/bench/fetch.ts'
import { findProgram } from '../../src/bench/programs.ts'
import { SMALL, tidyBench } from './run-bench.ts'

const cacheIsKnown = findProgram('fincore') !== null
const curl = findProgram('curl') === null ? [] : ['curl']

test('fetch runs all clients in turn and puts ours beside each', async (t) => {
  const report = JSON.parse(await tidyBench(t, '--directory', 'fetch', ...SMALL, '--json')) as FetchReport
  t.is(report.rounds, 2)
  t.is(report.congestionControl, report.machine.congestionControl)
  t.deepEqual(
    report.candidates.map(({ name }) => name),
    ['sealyard', ...curl, 'node'],
  )
  for (const { samples, secondsMedian, bytesPerSecond, clientCpuSecondsPerGiB } of report.candidates) {
    t.is(samples.length, 2)
    t.true(secondsMedian > 0 && bytesPerSecond > 0 && clientCpuSecondsPerGiB >= 0)
  }
  t.deepEqual(Object.keys(report.ratios), [...curl, 'node', 'device'])
  t.true(Object.values(report.ratios).every(({ speed }) => (speed?.median ?? 0) > 0))
  t.true(report.limit.writeBytesPerSecond.median > 0)
  const node = report.candidates.find(({ name }) => name === 'node')
  if (cacheIsKnown) t.is(node?.pageCacheBytes, 2 ** 20, 'Node writes through the page cache')
})

test('fetch says in words what it measured, and who sent it', async (t) => {
  const words = await tidyBench(t, '--directory', 'fetch', ...SMALL, '--candidates', 'sealyard,node')
  t.regex(words, /^fetch: 1 MiB to disk, 2 interleaved rounds, hot at the server, fsync included\n/)
  t.regex(words, /\nnetwork {2}loopback, congestion control \w+; (nginx|sealyard).* sends to all\n/)
  t.regex(words, /\nsealyard to node: speed \d+\.\d\d/)
  t.regex(words, /\nsealyard to device: speed [^,]*\nlimit {4}device: (fio|dd) writes /)
})
