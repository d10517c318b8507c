import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SealerApi, WorkerApi } from '../../src/protocol/apis.ts'
import { createClient } from '../../src/protocol/rpc-client.ts'
import { sealerMethods } from '../../src/protocol/sealer-methods.ts'
import { workerMethods } from '../../src/protocol/worker-methods.ts'
import { KeyedLock } from '../../src/storage/keyed-lock.ts'
import { command, type TourNode } from '../../src/tour/daemons.ts'
import { freePort } from '../../src/tour/host-facts.ts'

export const MINER = 1005

/** Everything that waits for minutes in the field waits for a moment here. */
const SEALER_CONFIG = `
[Storage]
AllowAddPiece = false
AllowPreCommit1 = false
AllowPreCommit2 = false
AllowCommit = false
AllowUnseal = false
HeartbeatInterval = "200ms"

[Sealing]
AlwaysKeepUnsealedCopy = false
MinRetryTime = "50ms"
WorkersBackTime = "200ms"

[Scheduler]
SettleTime = "300ms"

[Chain]
OfflineWait = "10ms"
`

const WORKER_CONFIG = `
[Storage]
HeartbeatInterval = "200ms"

[Worker]
HeartbeatInterval = "100ms"
`

/** What stands in a daemon's log before each of its runs. */
export const STARTED = 'started by the test'

/** A daemon that may die at any moment and is started again at the same place. */
export class MortalNode {
  readonly node: TourNode
  readonly url: string
  readonly log: string
  /** What it has passed, over all its runs: `after:work.done`. */
  readonly steps: string
  /** Processes so far. */
  starts = 0
  #child: ChildProcess | null = null
  #died: Promise<string> = Promise.resolve('')

  constructor(node: TourNode, logs: string) {
    this.node = node
    this.url = `http://127.0.0.1:${node.port}`
    this.log = join(logs, `${node.name}.log`)
    this.steps = join(logs, `${node.name}.steps`)
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /**
   * @param killAt `after:work.done`; empty for none
   * @param under a program and its arguments that runs the daemon
   */
  start(killAt = '', under: readonly string[] = []): void {
    const output = openSync(this.log, 'a')
    writeSync(output, `${JSON.stringify({ ts: new Date().toISOString(), msg: STARTED, killAt })}\n`)
    const program = join(import.meta.dirname, '../../bin', `sealyard-${this.node.kind}`)
    const daemon = [process.execPath, program, '--repo', this.node.repo, 'run', ...this.node.runArguments]
    const [first = process.execPath, ...rest] = [...under, ...daemon]
    const child = spawn(first, rest, {
      env: { ...process.env, ...this.node.env, SEALYARD_KILL_AT: killAt, SEALYARD_STEPS_LOG: this.steps },
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    this.starts += 1
    this.#child = child
    this.#died = once(child, 'exit').then(([code, signal]) => {
      if (this.#child === child) this.#child = null
      return String(signal ?? code)
    })
  }

  /** Comes back when the process has ended, with its signal or its status. */
  get died(): Promise<string> {
    return this.#died
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal)
    await this.#died
  }

  async healthy(limitMs = 60_000): Promise<void> {
    await eventually(`${this.node.name} answers`, limitMs, () => this.answers())
  }

  async answers(): Promise<boolean> {
    return (await fetch(`${this.url}/healthz`)).ok
  }

  /** Lines of the steps log. */
  async passed(): Promise<string[]> {
    return (await readFile(this.steps, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
  }
}

/** A sealer and workers that seal for it; the store lies on another filesystem where the machine has one. */
export class ClusterToKill {
  readonly directory: string
  readonly store: string
  readonly sealer: MortalNode
  readonly workers = new Map<string, MortalNode>()
  /** Whose sector is the new one can only be told when one is added at a time. */
  readonly adding = new KeyedLock()
  /** Sectors that were found to be what an undisturbed seal makes. */
  comparedSeals = 0
  readonly #logs: string
  readonly #parameters: Record<string, string>

  private constructor(
    directory: string,
    store: string,
    sealer: MortalNode,
    parameters: Record<string, string>,
  ) {
    this.directory = directory
    this.store = store
    this.sealer = sealer
    this.#logs = join(directory, 'logs')
    this.#parameters = parameters
  }

  /** @param failing states of a sector in which its first attempt fails */
  static async start(
    names: readonly string[],
    { failing = [] as readonly string[] } = {},
  ): Promise<ClusterToKill> {
    const directory = await mkdtemp(join(tmpdir(), 'sealyard-faults-'))
    const logs = join(directory, 'logs')
    await mkdir(logs)
    const store = await storeDirectory(directory)
    // C2 is deferred, whatever parameters the machine has.
    const parameters = { SEALYARD_PROOFS_PARAMETERCACHE: join(directory, 'parameters') }
    const port = await freePort(0)
    const repo = join(directory, 'sealer')
    const env = { ...parameters, SEALYARD_FAIL_STEPS: failing.join() }
    const node: TourNode = { name: 'sealer', kind: 'sealer', repo, port, env, runArguments: [] }
    await command(node, ['init', '--actor', `f0${MINER}`, '--sector-size', '2KiB'])
    const listen = `[API]\nListenAddress = "/ip4/127.0.0.1/tcp/${port}/http"\n`
    await writeFile(join(repo, 'config.toml'), `${listen}${SEALER_CONFIG}`)
    const cluster = new ClusterToKill(directory, store, new MortalNode(node, logs), parameters)
    cluster.sealer.start()
    await cluster.sealer.healthy()
    await command(node, ['storage', 'attach', '--init', '--store', store])
    for (const name of names) await cluster.#addWorker(name)
    return cluster
  }

  async #addWorker(name: string): Promise<void> {
    const info = (await command(this.sealer.node, ['auth', 'api-info', '--perm', 'admin'])).trim()
    const port = await freePort(0)
    const repo = join(this.directory, name)
    await mkdir(repo)
    await writeFile(join(repo, 'config.toml'), WORKER_CONFIG)
    const worker = new MortalNode(
      {
        name,
        kind: 'worker',
        repo,
        port,
        env: { ...this.#parameters, SEALER_API_INFO: info.slice(info.indexOf('=') + 1) },
        runArguments: ['--listen', `127.0.0.1:${port}`, '--name', name, '--no-local-storage'],
      },
      this.#logs,
    )
    this.workers.set(name, worker)
    worker.start()
    await worker.healthy()
    await command(worker.node, ['storage', 'attach', '--init', '--seal', this.sealPath(name)])
    await command(worker.node, ['storage', 'attach', this.store])
  }

  /** Whether a move to the store is a copy. */
  get copies(): boolean {
    return !this.store.startsWith(this.directory)
  }

  sealPath(worker: string): string {
    return join(this.directory, `seal-${worker}`)
  }

  nodes(): MortalNode[] {
    return [this.sealer, ...this.workers.values()]
  }

  /** Private files of moves and fetches; when nothing runs and nothing waits for a start there should be none. */
  async unfinished(): Promise<string[]> {
    const roots = [this.store, ...[...this.workers.keys()].map((name) => this.sealPath(name))]
    const found = await Promise.all(
      roots.map(async (root) => {
        const names = await readdir(root, { recursive: true })
        return names.filter((name) => /^[^/]+\/fetching\/[^/]+$/.test(name)).map((name) => join(root, name))
      }),
    )
    return found.flat()
  }

  /** Private files of tasks; when nothing runs there should be none. */
  async scratch(): Promise<string[]> {
    const roots = [this.store, ...[...this.workers.keys()].map((name) => this.sealPath(name))]
    const found = await Promise.all(
      roots.map(async (root) => {
        const names = await readdir(join(root, '.sealyard/scratch')).catch(() => [])
        return names.map((name) => join(root, '.sealyard/scratch', name))
      }),
    )
    return found.flat()
  }

  worker(name: string): MortalNode {
    const worker = this.workers.get(name)
    if (worker === undefined) throw new Error(`the cluster has no worker ${name}`)
    return worker
  }

  async token(node = this.sealer): Promise<string> {
    return (await readFile(join(node.node.repo, 'token'), 'utf8')).trim()
  }

  async api(): Promise<SealerApi> {
    const url = `${this.sealer.url}/rpc/v0`
    return createClient(sealerMethods, { url, token: await this.token(), timeoutMs: 20_000 })
  }

  async workerApi(name: string): Promise<WorkerApi> {
    const node = this.worker(name)
    const url = `${node.url}/rpc/v0`
    return createClient(workerMethods, { url, token: await this.token(node), timeoutMs: 20_000 })
  }

  async stop(): Promise<void> {
    for (const node of this.nodes().toReversed()) await node.kill()
    await rm(this.store, { recursive: true, force: true })
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** A move to another filesystem is a copy, with all its steps; within one it is a rename. */
async function storeDirectory(directory: string): Promise<string> {
  const here = await stat(directory)
  const memory = await stat('/dev/shm').catch(() => null)
  if (memory === null || memory.dev === here.dev) return join(directory, 'store')
  return mkdtemp('/dev/shm/sealyard-faults-')
}

/**
 * Asks until the answer is yes; a daemon that is down just now is no answer.
 * @param deaths so far, where daemons die meanwhile: the limit counts from the last one
 */
export async function eventually(
  what: string,
  limitMs: number,
  question: () => Promise<boolean>,
  deaths: () => number = () => 0,
): Promise<void> {
  let deadline = performance.now() + limitMs
  let known = deaths()
  let reason = 'it never was'
  for (;;) {
    if (deaths() !== known) deadline = performance.now() + limitMs
    known = deaths()
    try {
      if (await question()) return
    } catch (error) {
      reason = (error as Error).message
    }
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what} (${reason})`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
