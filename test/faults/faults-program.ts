import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { TOP } from '../source-files.ts'

const run = promisify(execFile)

const TARGET = resolve(process.env.CARGO_TARGET_DIR ?? join(TOP, 'target'))

/**
 * Where the injector of faults is, built when it is not; the reason where this machine cannot have it.
 * @throws when it does not compile
 */
export async function faultsProgram(): Promise<{ program: string } | { reason: string }> {
  try {
    const args = ['build', '--quiet', '--locked', '-p', 'faults', '--target-dir', TARGET]
    await run('cargo', args, { cwd: TOP })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return { reason: 'cargo is not installed' }
  }
  const program = join(TARGET, 'debug', 'faults')
  try {
    // Whether a program can be trapped at all.
    await run(program, ['supervise', '--threads', 'none', '--log', '/dev/null', '--', 'true'])
    return { program }
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    return { reason: `no supervisor of system calls: ${stderr.trim()}` }
  }
}
