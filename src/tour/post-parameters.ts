import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { SealyardError } from '../base/errors.ts'
import { say } from './say.ts'

const BIN = join(import.meta.dirname, '../../bin/sealyard-sealer')

/** Makes the 2 KiB window PoSt parameters beside the tour's other work; a second tour finds them made. */
export class PostParameters {
  readonly #done: Promise<void>
  readonly #abort: AbortController

  private constructor(done: Promise<void>, abort: AbortController) {
    this.#done = done
    this.#abort = abort
    done.catch(() => undefined)
  }

  static begin(): PostParameters {
    const abort = new AbortController()
    return new PostParameters(make(abort.signal), abort)
  }

  /** Waits until they are there, and says so when that takes a while. */
  async ready(): Promise<void> {
    const timer = setTimeout(
      () => say('waiting for the window PoSt parameters (15 s of processor time, once)'),
      300,
    )
    try {
      await this.#done
    } finally {
      clearTimeout(timer)
    }
  }

  cancel(): void {
    this.#abort.abort()
  }
}

function make(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(BIN, ['parameters', 'make', '--circuit', 'window-post', '--sector-size', '2KiB'], {
      signal,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000)
    })
    child.once('error', reject)
    child.once('exit', (status) => (status === 0 ? resolve() : reject(failure(status, said))))
  })
}

function failure(status: number | null, said: string): SealyardError {
  return new SealyardError({
    code: 'PARAMETERS_FAILED',
    level: 'permanent',
    message: `the window PoSt parameters were not made (status ${status}): ${said.trim().split('\n').at(-1) ?? ''}`,
  })
}
