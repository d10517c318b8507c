import { spawn } from 'node:child_process'
import type { SectorSizeName } from '../sectors/proof-types.ts'
import { builtBinary } from './built-binary.ts'
import { proofError } from './errors.ts'
import { type Circuit, ownParameterDirectory } from './parameters.ts'

export interface MakeParametersOptions {
  readonly circuit: Circuit
  /** Only 2KiB can be made here. */
  readonly sizeName: SectorSizeName
  readonly env: NodeJS.ProcessEnv
  /** What the maker says: that it works and what that costs, or that all is there. */
  readonly onLine?: ((line: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes the parameters of one circuit in Sealyard's own cache. Does nothing when they are there; when another process
 * makes them, waits for that.
 * @returns the directory they are in
 * @throws ProofError NO_PARAMETERS saying why not, TASK_ABORTED, PROVER_MISSING
 */
export async function makeParameters(options: MakeParametersOptions): Promise<string> {
  const { circuit, sizeName, env, signal, onLine } = options
  const directory = ownParameterDirectory(env)
  const args = ['--circuit', circuit, '--sector-size', sizeName, '--directory', directory]
  const { status, said } = await run(builtBinary('sealyard-params'), args, { env, signal, onLine })
  if (signal?.aborted)
    throw proofError('TASK_ABORTED', `the parameters for ${circuit} are not made, as asked`)
  if (status === 0) return directory
  const last = said.trim().split('\n').at(-1) ?? ''
  throw proofError('NO_PARAMETERS', `the parameters for ${circuit} were not made (status ${status}): ${last}`)
}

function run(
  file: string,
  args: readonly string[],
  {
    env,
    signal,
    onLine,
  }: Pick<MakeParametersOptions, 'env' | 'onLine'> & { signal: AbortSignal | undefined },
): Promise<{ status: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    let begun = ''
    // First of all: without descriptors left there are no pipes, only this event.
    child.once('error', (cause) => reject(proofError('PROVER_MISSING', `${file} does not start`, { cause })))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000)
      const lines = (begun + text).split('\n')
      begun = lines.pop() ?? ''
      for (const line of lines) onLine?.(line)
    })
    const stop = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    child.once('close', (status) => {
      signal?.removeEventListener('abort', stop)
      resolve({ status, said })
    })
  })
}
