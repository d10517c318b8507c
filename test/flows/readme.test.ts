import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../../src/tour/host-facts.ts'
import { read, TOP } from '../source-files.ts'

/** README's shell blocks, line by line. */
function commands(): string[] {
  const blocks = [...read('README.md').matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1] ?? '')
  return blocks.flatMap((block) => block.split('\n')).filter((line) => line !== '')
}

/** A terminal in the clone, with a home and a scratch directory of its own in place of the reader's. */
class Reader {
  readonly #t: ExecutionContext<unknown>
  readonly #home: string
  readonly #ports: ReadonlyMap<string, number>
  readonly #env: Record<string, string> = {}
  readonly #daemons: ChildProcess[] = []
  lastOutput = ''

  private constructor(t: ExecutionContext<unknown>, home: string, ports: ReadonlyMap<string, number>) {
    this.#t = t
    this.#home = home
    this.#ports = ports
  }

  static async begin(t: ExecutionContext<unknown>): Promise<Reader> {
    const home = await mkdtemp(join(tmpdir(), 'sealyard-readme-'))
    const ports = new Map<string, number>()
    for (const each of ['2345', '3458', '3450']) ports.set(each, await freePort(0))
    const reader = new Reader(t, home, ports)
    t.teardown(async () => {
      for (const child of reader.#daemons.toReversed()) await end(child)
      await rm(home, { recursive: true, force: true })
    })
    return reader
  }

  /** Types one line. Daemons stay in the background, as in a terminal of their own. */
  async type(line: string): Promise<void> {
    const [, unsealed] = /sectors (?:unseal|commit2-input) (\d+)/.exec(line) ?? []
    if (unsealed !== undefined) await this.#untilProving(unsealed)
    const text = line
      .replaceAll('/tmp/sealyard', this.#home)
      .replace(/127\.0\.0\.1:(\d+)/g, (_, port: string) => `127.0.0.1:${this.#ports.get(port) ?? port}`)
    if (/^export (\w+)=…$/.test(text)) {
      // The reader pastes what the command before has printed.
      const [name = '', value = ''] = this.lastOutput.trim().split(/=(.*)/s)
      this.#env[name] = value
    } else if (/ run( |$)/.test(text) && text.startsWith('bin/')) {
      await this.#background(text)
    } else {
      this.lastOutput = await this.#foreground(text)
    }
  }

  /** As the README tells its reader to wait. */
  async #untilProving(sector: string): Promise<void> {
    for (;;) {
      const status = await this.#foreground(`bin/sealyard-sealer sectors status --json ${sector}`)
      if ((JSON.parse(status) as { State: string }).State === 'Proving') return
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  async #background(text: string): Promise<void> {
    const log = join(this.#home, `daemon-${this.#daemons.length}.log`)
    const child = spawn('sh', ['-c', `exec ${text} 2>${log}`], { cwd: TOP, env: this.#environment() })
    this.#daemons.push(child)
    for (let waited = 0; waited < 1200; waited++) {
      if (child.exitCode !== null) break
      if (/(sealer|worker) is up/.test(await readFile(log, 'utf8').catch(() => ''))) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    this.#t.fail(`${text} did not come up:\n${await readFile(log, 'utf8').catch(() => '')}`)
  }

  async #foreground(text: string): Promise<string> {
    const child = spawn('sh', ['-c', text], {
      cwd: TOP,
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    await once(child, 'close')
    this.#t.is(child.exitCode, 0, `${text}\n${stdout}${stderr}`)
    return stdout
  }

  #environment(): NodeJS.ProcessEnv {
    const sealerPort = this.#ports.get('2345')
    return {
      ...process.env,
      HOME: this.#home,
      // C2 is deferred on every machine alike.
      SEALYARD_PROOFS_PARAMETERCACHE: join(this.#home, 'parameters'),
      // Toolchains and caches are the machine's; only the repos are the reader's own.
      XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
      RUSTUP_HOME: process.env.RUSTUP_HOME ?? join(homedir(), '.rustup'),
      CARGO_HOME: process.env.CARGO_HOME ?? join(homedir(), '.cargo'),
      // A reader's port 2345 is free; here something else may listen.
      ...('SEALER_API_INFO' in this.#env ? {} : { SEALYARD_API_LISTENADDRESS: `127.0.0.1:${sealerPort}` }),
      ...this.#env,
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** What has its own test, or would start this very run again. */
const ELSEWHERE = ['npm start', 'npm test', 'npm run bench']

test('every command in README works as it is written, in its order', async (t) => {
  const reader = await Reader.begin(t)
  const lines = commands()
  t.true(lines.length > 15, `README has only ${lines.length} commands`)
  for (const line of lines) {
    if (!ELSEWHERE.includes(line)) await reader.type(line)
  }
})
