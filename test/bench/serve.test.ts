import { execFileSync, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { findProgram } from '../../src/bench/programs.ts'
import type { ServeReport } from '../../src/bench/serve.ts'
import { skipUnless } from '../skip.ts'
import { bench, makeDirectory, PROGRAM, SMALL, tidyBench } from './run-bench.ts'

async function served(t: ExecutionContext, ...args: string[]): Promise<ServeReport> {
  return JSON.parse(await tidyBench(t, '--directory', 'serve', ...SMALL, ...args, '--json')) as ServeReport
}

const NODE = ['--candidates', 'sealyard,node']
const cacheIsKnown = findProgram('fincore') !== null
const hasNamespaces = process.getuid?.() === 0 && findProgram('ip') !== null

test('serve runs all candidates in turn on each case, and puts ours beside each', async (t) => {
  const names = ['sealyard', 'node', 'hyper-express']
  const report = await served(t, '--connections', '1,3', '--candidates', names.join(','))
  t.is(report.rounds, 2)
  t.is(report.congestionControl, report.machine.congestionControl, 'over loopback the system decides')
  t.deepEqual(
    report.cases.map(({ name, connections }) => `${name}-${connections}`),
    ['file-1', 'file-3', 'small-1', 'small-3', 'tar-1', 'tar-3'],
  )
  for (const { name, connections, candidates, state } of report.cases) {
    t.is(state, 'hot')
    const also = name === 'tar' ? ['sealyard-file'] : []
    t.deepEqual(candidates.map((each) => each.name).toSorted(), [...names, ...also].toSorted())
    for (const { samples, bytesPerSecond, requestsPerSecond, serverCpuSecondsPerGiB } of candidates) {
      t.is(samples.length, 2)
      t.is(new Set(samples.map(({ bytes }) => bytes)).size, 1, 'every sample is of the same bytes')
      t.true(bytesPerSecond > 0 && requestsPerSecond > 0 && serverCpuSecondsPerGiB >= 0)
    }
    const ratios = report.ratios[`${name}-${connections}`] ?? {}
    t.deepEqual(Object.keys(ratios).toSorted(), ['node', 'hyper-express', ...also].toSorted())
    t.true(Object.values(ratios).every(({ speed }) => (speed?.median ?? 0) > 0))
  }
  t.is(report.limit, null)
  t.is(report.control, null)
})

test('serve counts the bytes of all connections', async (t) => {
  const { cases } = await served(t, ...NODE, '--cases', 'file,tar,small', '--connections', '4')
  const bytes = cases.map(({ candidates }) => candidates[0]?.samples[0]?.bytes ?? 0)
  const [file = 0, tar = 0, small = 0] = bytes
  t.is(file, 4 * 2 ** 20, 'four files of a quarter, four times')
  t.true(tar > 16 * 2 ** 20 && tar % (16 * 512) === 0, 'a tar of a little more, sixteen times, in blocks')
  t.is(small, 512 * 2048)
})

test('serve begins with a cold file where it is asked to, and takes the limit of the disk', async (t) => {
  const report = await served(t, ...NODE, '--cases', 'file', '--connections', '2', '--state', 'cold')
  const [only] = report.cases
  t.is(only?.state, 'cold')
  t.is(only?.candidates[0]?.samples[0]?.bytes, 2 ** 20, 'once: then it would be hot')
  t.true((report.limit?.readBytesPerSecond.median ?? 0) > 0)
  t.true((report.ratios['file-2']?.device?.speed?.median ?? 0) > 0)
  if (!cacheIsKnown) return
  const node = only?.candidates.find(({ name }) => name === 'node')
  t.is(node?.pageCacheBytes, 2 ** 20, 'Node reads through the page cache')
})

test('serve measures small calls beside a busy data plane', async (t) => {
  const { control } = await served(t, '--candidates', 'sealyard', '--cases', 'small', '--control')
  t.is(control?.connections, 8)
  for (const { calls, p50Ms, p99Ms, maxMs } of [control?.idle, control?.loaded].flatMap(
    (each) => each ?? [],
  )) {
    t.is(calls, 1000)
    t.true(p50Ms > 0 && p50Ms <= p99Ms && p99Ms <= maxMs)
  }
  t.true((control?.p99Ratio?.median ?? 0) > 0)
  t.true((control?.loadedBytesPerSecond ?? 0) > 0)
})

test('serve says in words what it measured, and over which network', async (t) => {
  const words = await tidyBench(t, '--directory', 'serve', ...SMALL, ...NODE, '--control')
  t.regex(words, /^serve: 1 MiB, 2 interleaved rounds, over loopback\n/)
  t.regex(words, /\nnetwork {2}congestion control \w+ on all; a Node process receives, without SO_RCVLOWAT\n/)
  t.regex(words, /\nfile: a file for each connection, 64 connections, hot\n/)
  t.regex(words, /\nsmall: files of 2 KiB, 16 connections, hot\n.*requests\/s {3}server CPU µs\/request/)
  t.regex(words, /\ntar: .*, 1 connection, hot\n/)
  t.regex(words, /\nsealyard to node: speed \d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\), CPU /)
  t.regex(words, /\np99 to idle: \d/)
})

test('serve measures the front door beside nginx', async (t) => {
  if (skipUnless(t, findProgram('nginx') !== null, 'nginx is not installed (scripts/test-tools)')) return
  const report = await served(t, '--candidates', 'sealyard,nginx', '--connections', '2')
  t.deepEqual(Object.keys(report.ratios['file-2'] ?? {}), ['nginx'])
  t.deepEqual(Object.keys(report.ratios['tar-2'] ?? {}), ['sealyard-file', 'nginx'])
})

/** Network namespaces of a bench that runs, or ran. */
function namespacesOf(pid: number | undefined): string[] {
  const list = execFileSync(findProgram('ip') ?? 'ip', ['netns', 'list'], {
    encoding: 'utf8',
    // It complains of namespaces that end while it looks.
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return list.split('\n').filter((line) => line.startsWith(`sealyard-bench-${pid}-`))
}

test('serve pins the congestion control between two namespaces, which are gone afterwards', async (t) => {
  if (skipUnless(t, hasNamespaces, 'needs root and iproute2 to make network namespaces')) return
  const veth = ['--network', 'veth', '--congestion-control', 'reno', '--connections', '2', ...NODE]
  const flags = [...SMALL, '--cases', 'tar', '--directory', makeDirectory(t), '--json']
  const { pid, status, stdout, stderr } = await bench('serve', ...veth, ...flags)
  t.is(stderr, '')
  t.is(status, 0)
  const report = JSON.parse(stdout) as ServeReport
  t.is(report.congestionControl, 'reno')
  t.is(report.cases[0]?.name, 'tar', 'also where no other case made its directory')
  t.deepEqual(namespacesOf(pid), [])
})

test('an interrupted run over veth leaves no namespace behind', async (t) => {
  if (skipUnless(t, hasNamespaces, 'needs root and iproute2 to make network namespaces')) return
  const directory = makeDirectory(t)
  const args = ['serve', '--size', '1MiB', '--rounds', '9999', ...NODE, '--network', 'veth']
  const child = spawn(process.execPath, [PROGRAM, ...args, '--directory', directory], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  while (namespacesOf(child.pid).length === 0) await pause(20)
  child.kill('SIGINT')
  t.is(await ended, 130)
  t.deepEqual(namespacesOf(child.pid), [])
  t.deepEqual(readdirSync(directory), [])
})
