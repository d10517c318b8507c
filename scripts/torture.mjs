/**
 * Long, seeded, hostile runs that are no part of the tests: `npm run torture -- <what> [options]`.
 *
 *     restart [--seconds N] [--seed S]    kill -9 of daemons and provers while sectors are sealed
 *     power-cut [--cycles N] [--seed S]   power cuts of moves on xfs, ext4 and btrfs; then the same of mv
 *     syscalls [--points N] [--seed S] [--one-in N]
 *                                         every fault at every system call of every kind of move (or at one call in
 *                                         so many), and at N calls of a worker that stores sectors
 */
import { spawn } from 'node:child_process'
import { at, TARGET } from './setup/paths.mjs'

const program = (file) => (options) => [process.execPath, ['--import=tsx', at(file), ...options]]
const cargo = ['run', '--quiet', '--locked', '-p', 'faults', '--target-dir', TARGET, '--']

/** The options but for one, which has a value. */
const without = (options, name) =>
  options.filter((word, index) => word !== name && options[index - 1] !== name)

const RUNS = {
  restart: [program('test/faults/soak.ts')],
  'power-cut': [(options) => ['cargo', [...cargo, 'power-cut', ...options]]],
  syscalls: [
    (options) => ['cargo', [...cargo, 'syscalls', ...without(options, '--points')]],
    (options) => program('test/faults/worker-calls.ts')(without(options, '--one-in')),
  ],
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
    `usage: npm run torture -- ${Object.keys(RUNS).join(' | ')} [--seconds N | --cycles N | --points N | --one-in N] [--seed S]`,
  )
  process.exitCode = 2
} else {
  // All of them run, whatever comes of the first.
  for (const each of runs) process.exitCode = Math.max(process.exitCode ?? 0, await run(each(options)))
}
