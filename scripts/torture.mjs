/**
 * Long, seeded, hostile runs that are no part of the tests: `npm run torture -- <what> [options]`.
 *
 *     restart [--seconds N] [--seed S]    kill -9 of daemons and provers while sectors are sealed
 *     power-cut [--cycles N] [--seed S]   power cuts of moves on xfs, ext4 and btrfs; then the same of mv
 *     syscalls [--points N] [--seed S]    every fault at every system call of every kind of move, and at N calls of
 *                                         a worker that stores sectors
 */
import { spawn } from 'node:child_process'
import { at, TARGET } from './setup/paths.mjs'

const program = (file) => (options) => [process.execPath, ['--import=tsx', at(file), ...options]]
const cargo = ['run', '--quiet', '--locked', '-p', 'faults', '--target-dir', TARGET, '--']

const RUNS = {
  restart: [program('test/faults/soak.ts')],
  'power-cut': [(options) => ['cargo', [...cargo, 'power-cut', ...options]]],
  syscalls: [() => ['cargo', [...cargo, 'syscalls']], program('test/faults/worker-calls.ts')],
}

/** @returns {Promise<number>} its exit status */
function run([command, args]) {
  const child = spawn(command, args, { stdio: 'inherit', cwd: at() })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}

const [what, ...options] = process.argv.slice(2)
const runs = Object.hasOwn(RUNS, what ?? '') ? RUNS[what] : null
if (runs === null) {
  console.error(
    `usage: npm run torture -- ${Object.keys(RUNS).join(' | ')} [--seconds N | --cycles N | --points N] [--seed S]`,
  )
  process.exitCode = 2
} else {
  // All of them run, whatever comes of the first.
  for (const each of runs) process.exitCode = Math.max(process.exitCode ?? 0, await run(each(options)))
}
