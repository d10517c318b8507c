import { appendFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'

/**
 * Ends a test that cannot run on this machine, visibly: the reason goes to the test's log and, by
 * `scripts/test.mjs`, into the list at the end and the count.
 *
 *     if (skipUnless(t, isRoot(), 'needs root to mount a filesystem')) return
 *
 * @param reason what is missing, in words an operator understands
 * @returns true when the test must return at once
 */
export function skipUnless(t: ExecutionContext<unknown>, condition: boolean, reason: string): boolean {
  if (condition) return false
  const line = `SKIP: ${t.title}: ${reason}`
  t.log(line)
  const log = process.env.SEALYARD_SKIP_LOG
  if (log !== undefined) appendFileSync(log, `${line}\n`)
  t.pass()
  return true
}
