/**
 * Long, seeded, hostile runs that are no part of the tests: `npm run torture -- <what> [options]`.
 *
 *     restart [--seconds N] [--seed S]   kill -9 of daemons and provers while sectors are sealed
 */
import { spawn } from 'node:child_process'
import { at } from './setup/paths.mjs'

const PROGRAMS = { restart: 'test/faults/soak.ts' }

const [what, ...options] = process.argv.slice(2)
const program = Object.hasOwn(PROGRAMS, what ?? '') ? PROGRAMS[what] : null
if (program === null) {
  console.error(`usage: npm run torture -- ${Object.keys(PROGRAMS).join(' | ')} [--seconds N] [--seed S]`)
  process.exitCode = 2
} else {
  const child = spawn(process.execPath, ['--import=tsx', at(program), ...options], { stdio: 'inherit' })
  child.on('close', (code) => {
    process.exitCode = code ?? 1
  })
}
