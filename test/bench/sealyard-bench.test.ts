import { spawn } from 'node:child_process'
import { readdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { FinalizeReport } from '../../src/bench/finalize.ts'
import { findProgram } from '../../src/bench/programs.ts'
import type { StatLatencyReport } from '../../src/bench/stat-latency.ts'
import { bench, makeDirectory, PROGRAM, SMALL, tidyBench } from './run-bench.ts'

async function finalized(t: ExecutionContext, ...args: string[]): Promise<FinalizeReport> {
  return JSON.parse(await tidyBench(t, '--source', 'finalize', ...args, '--json')) as FinalizeReport
}

const cacheIsKnown = findProgram('fincore') !== null

test('finalize runs all candidates in turn and puts ours beside cp', async (t) => {
  const report = await finalized(t, ...SMALL, '--candidates', 'sealyard,cp,mv,node')
  t.is(report.rounds, 2)
  t.deepEqual(
    report.candidates.map(({ name }) => name),
    ['sealyard', 'cp', 'mv', 'node'],
  )
  for (const each of report.candidates) {
    t.is(each.samples.length, 2)
    t.true(each.secondsMedian > 0 && each.bytesPerSecond > 0)
    t.true(each.processCpuSecondsPerGiB >= 0 && each.machineCpuSecondsPerGiB >= 0)
    if (cacheIsKnown)
      t.is(each.sourceCacheBytes === null, each.name === 'mv', 'only mv takes its source away')
  }
  t.regex(report.candidates[0]?.method ?? '', /^copy, /)
  t.true((report.ratiosToCp.speed ?? 0) > 0)
  t.true(report.limit.readBytesPerSecond > 0 && report.limit.writeBytesPerSecond > 0)
  t.true(report.machine.cores >= 1)
})

test('finalize leaves a hot source hot, and says how it copied, hashed and read back', async (t) => {
  const flags = ['--source-state', 'hot', '--engine', 'buffered', '--hash', 'blake3', '--read-back']
  const report = await finalized(t, '--size', '2MiB', '--rounds', '1', '--candidates', 'sealyard', ...flags)
  const [ours] = report.candidates
  t.is(ours?.method, 'copy, buffered')
  t.is(report.ratiosToCp.speed, null, 'without cp there is nothing to compare with')
  const [sample] = ours?.samples ?? []
  if (cacheIsKnown) t.is(sample?.sourceCacheBytes, sample?.sourceCacheBytesBefore)
})

test('finalize builds the layouts of sectors, holes where real ones have them', async (t) => {
  const one = ['--rounds', '1', '--candidates', 'sealyard,rsync,cp']
  const rsync = findProgram('rsync') !== null ? one : ['--rounds', '1', '--candidates', 'sealyard,cp']
  const sector = await finalized(t, '--scenario', 'sector', '--size', '8MiB', ...rsync)
  t.true(sector.bytes > 8 * 2 ** 20 && sector.dataBytes === sector.bytes)
  const sealing = await finalized(t, '--scenario', 'sealing-sector', '--size', '8MiB', ...rsync)
  t.is(sealing.bytes - sealing.dataBytes, 6 * 2 ** 20, 'its unsealed file is a quarter full')
  const sparse = await finalized(t, '--scenario', 'sparse', '--size', '200MiB', ...rsync)
  t.is(sparse.dataBytes, 2 * 2 ** 20)
})

test('finalize says what it measured, where, and what the ratio does not say', async (t) => {
  const copied = await tidyBench(t, '--source', 'finalize', ...SMALL)
  t.regex(copied, /^finalize: file of 1 MiB, 2 interleaved rounds, cold source, fsync included\n/)
  t.regex(copied, /\nmachine .* cores, .* Linux /)
  t.regex(copied, /\nsealyard to cp: speed \d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\)/)
  t.regex(copied, /\nlimit {4}(fio|dd), past the page cache: reads /)
  t.regex(copied, /one filesystem, where a daemon renames/)
  const renamed = await tidyBench(
    t,
    '--source',
    'finalize',
    ...SMALL,
    '--method',
    'any',
    '--candidates',
    'sealyard,mv',
  )
  t.regex(renamed, /\nsealyard .* gone .* rename\n/)
  t.regex(renamed, /No byte was copied/)
})

test('stat-latency measures what waits while copies run', async (t) => {
  const stdout = await tidyBench(t, '--source', 'stat-latency', ...SMALL, '--copies', '2', '--json')
  const { candidates } = JSON.parse(stdout) as StatLatencyReport
  t.deepEqual(
    candidates.map(({ name }) => name),
    ['idle', 'sealyard', 'node'],
  )
  for (const { calls, p50Ms, p99Ms, maxMs } of candidates) {
    t.true(calls > 0 && p50Ms > 0 && p50Ms <= p99Ms && p99Ms <= maxMs)
  }
})

test('what cannot be measured is said in one line', async (t) => {
  const directory = makeDirectory(t)
  const cases: [number, RegExp, ...string[]][] = [
    [1, /nowhere is not there; make it/, 'finalize', '--source', join(directory, 'nowhere')],
    [
      1,
      /nowhere is not there; make it/,
      'finalize',
      '--source',
      directory,
      '--target',
      join(directory, 'nowhere'),
    ],
    [
      1,
      /needs .* and has .* free; take a smaller --size/,
      'serve',
      '--size',
      '1TiB',
      '--directory',
      directory,
    ],
    [2, /not a whole number/, 'finalize', '--rounds', '0'],
    [2, /take one from 2KiB to 1TiB/, 'serve', '--size', '1'],
    [2, /take some of file,small,tar/, 'serve', '--cases', 'file,zip'],
    [2, /--connections 1,1000: take at most 256/, 'serve', '--connections', '1,1000'],
    [2, /take --network veth to choose one/, 'serve', '--congestion-control', 'reno'],
    [2, /--control needs sealyard/, 'serve', '--control', '--candidates', 'node', '--size', '2KiB'],
    [2, /take some of sealyard,curl,node/, 'fetch', '--candidates', 'wget'],
    [2, /take some of sealyard,cp,mv,rsync,node/, 'finalize', '--candidates', 'cp,ftp'],
    [2, /3145728 bytes does not exist; choose 2KiB/, 'finalize', '--scenario', 'sector', '--size', '3MiB'],
  ]
  for (const [status, words, ...args] of cases) {
    const ended = await bench(...args)
    t.is(ended.status, status, args.join(' '))
    t.regex(ended.stderr, words)
    t.notRegex(ended.stderr, /\n\s+at /, 'no stack')
    t.is(ended.stdout, '')
  }
  t.deepEqual(readdirSync(directory), [])
})

test('an interrupted run leaves nothing behind', async (t) => {
  const directory = makeDirectory(t)
  const begun = new Promise<void>((resolve) => {
    const watcher = watch(directory, () => {
      watcher.close()
      resolve()
    })
  })
  const args = [
    'serve',
    '--size',
    '1MiB',
    '--rounds',
    '9999',
    '--candidates',
    'sealyard,node',
    '--directory',
    directory,
  ]
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await begun
  child.kill('SIGINT')
  t.is(await ended, 130)
  t.deepEqual(readdirSync(directory), [])
})
