import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { FinalizeReport } from '../../src/bench/finalize.ts'
import { findProgram } from '../../src/bench/programs.ts'
import type { ServeReport } from '../../src/bench/serve.ts'
import { skipUnless } from '../skip.ts'
import { TOP } from '../source-files.ts'

const PROGRAM = join(TOP, 'bin', 'sealyard-bench')
const SMALL = ['--size', '1MiB', '--rounds', '2']

function makeDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sealyard-bench-test-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function bench(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...args], (_error, stdout, stderr) => {
      resolve({ status: child.exitCode, stdout, stderr })
    })
  })
}

/** Runs it in a directory that must be empty afterwards. */
async function tidyBench(t: ExecutionContext, ...args: string[]): Promise<string> {
  const directory = makeDirectory(t)
  const { status, stdout, stderr } = await bench(...args, '--directory', directory)
  t.is(stderr, '')
  t.is(status, 0)
  t.deepEqual(readdirSync(directory), [])
  return stdout
}

test('finalize measures the mover beside cp, round by round', async (t) => {
  const report = JSON.parse(await tidyBench(t, 'finalize', ...SMALL, '--json')) as FinalizeReport
  t.is(report.peer, 'cp + sync -f + rm')
  t.is(report.rounds.length, 2)
  for (const { ours, peer } of report.rounds) {
    t.is(ours.method, 'copy')
    t.true(ours.seconds > 0 && peer.seconds > 0)
  }
  t.true(report.speed !== null && report.speed.min <= report.speed.median)
  t.true(report.machine.cores >= 1)
})

test('finalize says what it measured, where, and what the ratio does not say', async (t) => {
  const copied = await tidyBench(t, 'finalize', ...SMALL)
  t.regex(copied, /^finalize: 1 MiB, 2 interleaved rounds, cold source/)
  t.regex(copied, /\nmachine .* cores, .* Linux /)
  t.regex(copied, /\nsealyard \(copy\) /)
  t.regex(copied, /\nspeed {4}\d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\) times that of cp/)
  t.regex(copied, /one filesystem, where a daemon renames/)
  const renamed = await tidyBench(t, 'finalize', ...SMALL, '--peer', 'mv', '--method', 'any', '--hot')
  t.regex(renamed, /\nsealyard \(rename\) /)
  t.regex(renamed, /No byte was copied/)
})

test('serve measures the front door beside Node', async (t) => {
  const stdout = await tidyBench(t, 'serve', ...SMALL, '--requests', '2', '--peer', 'node', '--json')
  const report = JSON.parse(stdout) as ServeReport
  t.regex(report.peer, /^Node http/)
  t.is(report.rounds.length, 2, 'the round that lets servers settle is not among them')
  t.true(report.speed !== null && report.speed.median > 0)
  t.regex(await tidyBench(t, 'serve', ...SMALL, '--peer', 'node', '--cold'), /cold file/)
})

test('serve measures the front door beside nginx', async (t) => {
  if (skipUnless(t, findProgram('nginx') !== null, 'nginx is not installed (scripts/test-tools)')) return
  const stdout = await tidyBench(t, 'serve', ...SMALL, '--peer', 'nginx')
  t.regex(stdout, /\nnginx, sendfile /)
})

test('what cannot be measured is said in one line', async (t) => {
  const directory = makeDirectory(t)
  const cases: [number, RegExp, ...string[]][] = [
    [1, /nowhere is not there; make it/, 'finalize', '--directory', join(directory, 'nowhere')],
    [
      1,
      /nowhere is not there; make it/,
      'finalize',
      '--directory',
      directory,
      '--to',
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
    [2, /Allowed choices are cp, mv, rsync/, 'finalize', '--peer', 'ftp'],
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
  const args = ['serve', '--size', '1MiB', '--rounds', '9999', '--peer', 'node', '--directory', directory]
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await begun
  child.kill('SIGINT')
  t.is(await ended, 130)
  t.deepEqual(readdirSync(directory), [])
})
