/**
 * Runs every check and reports all that failed, not only the first. `node scripts/check.mjs clippy` runs those
 * whose name holds that word. Exit code 1 when any failed.
 */
import { spawnSync } from 'node:child_process'
import { checks } from './check-list.mjs'
import { TOP } from './setup/paths.mjs'
import { seconds } from './setup/step.mjs'

/** @returns {{ name: string, ok: boolean }} after printing the outcome, and the output of a failure */
function runCheck({ name, command, args, cure }) {
  const began = performance.now()
  const end = spawnSync(command, args, { cwd: TOP, encoding: 'utf8', maxBuffer: 256 * 2 ** 20 })
  const ok = end.status === 0
  console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name} (${seconds(performance.now() - began)})`)
  if (!ok) {
    const output = end.error ? end.error.message : `${end.stdout}${end.stderr}`.trimEnd()
    console.log(output.replace(/^/gm, '        '))
    if (cure) console.log(`        to put it right: ${cure}`)
  }
  return { name, ok }
}

/** Runs the checks whose name contains `word`. @returns one entry per check */
export function runChecks(word = '') {
  return checks()
    .filter((check) => check.name.includes(word))
    .map(runCheck)
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const results = runChecks(process.argv[2])
  const failed = results.filter((result) => !result.ok)
  console.log(`checks: ${results.length - failed.length} passed, ${failed.length} failed`)
  if (failed.length > 0 || results.length === 0) process.exitCode = 1
}
