import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { SealerApi, WorkerApi } from '../../src/protocol/apis.ts'
import { createClient } from '../../src/protocol/rpc-client.ts'
import { sealerMethods } from '../../src/protocol/sealer-methods.ts'
import type { SectorStatus } from '../../src/protocol/types.ts'
import { workerMethods } from '../../src/protocol/worker-methods.ts'
import { command, type RunningNode, startDaemon, stopDaemon, type TourNode } from '../../src/tour/daemons.ts'
import { freePort } from '../../src/tour/host-facts.ts'

export const MINER = 1005

export interface ClusterPlan {
  /** As `init --sector-size` takes it. */
  readonly sectorSize?: string
  /** Lines of the sealer's config.toml, sections and all. */
  readonly config?: string
  /** Names of the workers; each gets a seal path in a group of its own name, and the store. */
  readonly workers: readonly string[]
  /** Seal paths in a group each, as the founding document has them; true by default. */
  readonly groups?: boolean
  /** Further arguments of each worker's `run`. */
  readonly workerArguments?: readonly string[]
  /** Directory of proof parameters; by default an empty one, so that C2 is deferred on every machine alike. */
  readonly parameters?: string
  /** Further variables of every daemon. */
  readonly env?: Readonly<Record<string, string>>
}

/** A sealer and workers as real daemons below a temporary directory, with one store path that all of them see. */
export class ClusterAtHand {
  readonly directory: string
  readonly sealer: RunningNode
  readonly workers = new Map<string, RunningNode>()
  readonly #env: Record<string, string>
  /** In the order they were started; they are stopped in the reverse one. */
  #running: RunningNode[] = []

  private constructor(directory: string, sealer: RunningNode, env: Record<string, string>) {
    this.directory = directory
    this.sealer = sealer
    this.#env = env
  }

  /** Starts it, and stops it when the test ends; a failing test keeps its logs in its output. */
  static async start(t: ExecutionContext<unknown>, plan: ClusterPlan): Promise<ClusterAtHand> {
    const directory = await mkdtemp(join(tmpdir(), 'sealyard-flow-'))
    await mkdir(join(directory, 'logs'))
    t.teardown(() => rm(directory, { recursive: true, force: true }))
    const parameters = {
      ...plan.env,
      SEALYARD_PROOFS_PARAMETERCACHE: plan.parameters ?? join(directory, 'parameters'),
    }
    const node = { ...(await sealerNode(directory)), env: parameters }
    await command(node, ['init', '--actor', `f0${MINER}`, '--sector-size', plan.sectorSize ?? '2KiB'])
    await writeFile(join(node.repo, 'config.toml'), `${listen(node.port)}\n${plan.config ?? ''}`)
    const sealer = await startDaemon(node, join(directory, 'logs'))
    const running: RunningNode[] = [sealer]
    t.teardown(async () => {
      for (const each of running.toReversed()) await stopDaemon(each)
      if (!t.passed) for (const each of running) t.log(`${each.name}:\n${await lastLines(each.log)}`)
    })
    const info = (await command(sealer, ['auth', 'api-info', '--perm', 'admin'])).trim()
    const cluster = new ClusterAtHand(directory, sealer, {
      ...parameters,
      SEALER_API_INFO: info.slice(info.indexOf('=') + 1),
    })
    await command(sealer, ['storage', 'attach', '--init', '--store', join(directory, 'store')])
    cluster.#running = running
    for (const name of plan.workers) {
      await cluster.addWorker(name, plan.workerArguments ?? [], plan.groups ?? true)
    }
    return cluster
  }

  /** One more worker, with a seal path of its own and the store. */
  async addWorker(
    name: string,
    args: readonly string[],
    grouped = true,
    env: Readonly<Record<string, string>> = {},
  ): Promise<RunningNode> {
    const port = await freePort(0)
    const worker = await startDaemon(
      {
        name,
        kind: 'worker',
        repo: join(this.directory, name),
        port,
        env: { ...this.#env, ...env },
        runArguments: ['--listen', `127.0.0.1:${port}`, '--name', name, '--no-local-storage', ...args],
      },
      join(this.directory, 'logs'),
    )
    this.#running.push(worker)
    this.workers.set(name, worker)
    const groups = grouped ? ['--groups', name, '--allow-to', name] : []
    const seal = join(this.directory, `seal-${name}`)
    await command(worker, ['storage', 'attach', '--init', '--seal', ...groups, seal])
    await command(worker, ['storage', 'attach', join(this.directory, 'store')])
    return worker
  }

  async api(): Promise<SealerApi> {
    const { url, repo } = this.sealer
    return createClient(sealerMethods, { url: `${url}/rpc/v0`, token: await tokenOf(repo), timeoutMs: 0 })
  }

  async workerApi(name: string): Promise<WorkerApi> {
    const { url, repo } = this.worker(name)
    return createClient(workerMethods, { url: `${url}/rpc/v0`, token: await tokenOf(repo), timeoutMs: 0 })
  }

  worker(name: string): RunningNode {
    const worker = this.workers.get(name)
    if (worker === undefined) throw new Error(`the cluster has no worker ${name}`)
    return worker
  }

  /** Types a command at the sealer. */
  sealerSays(...args: string[]): Promise<string> {
    return command(this.sealer, args)
  }

  async token(): Promise<string> {
    return tokenOf(this.sealer.repo)
  }

  /** Polls until the sector stands in a state. @throws with its log when it does not get there */
  async untilState(number: number, state: string, limitMs = 120_000): Promise<SectorStatus> {
    const api = await this.api()
    const deadline = performance.now() + limitMs
    for (;;) {
      const status = await api.SectorsStatus(number, false)
      if (status.State === state) return status
      if (performance.now() > deadline) {
        const log = status.Log.map((each) => `${each.Kind} ${each.Message}`).join('\n')
        throw new Error(
          `sector ${number} stands in ${status.State}, not in ${state}: ${status.LastErr}\n${log}`,
        )
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Polls until the sector's proof has been submitted. */
  async untilProven(number: number, limitMs: number): Promise<SectorStatus> {
    const api = await this.api()
    const deadline = performance.now() + limitMs
    for (;;) {
      const status = await api.SectorsStatus(number, false)
      if (status.CommitMsg !== null && status.State === 'Proving') return status
      if (performance.now() > deadline) throw new Error(`sector ${number} is not proven: ${status.LastErr}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

async function sealerNode(directory: string): Promise<TourNode> {
  return {
    name: 'sealer',
    kind: 'sealer',
    repo: join(directory, 'sealer'),
    port: await freePort(0),
    env: {},
    runArguments: [],
  }
}

function listen(port: number): string {
  return `[API]\nListenAddress = "/ip4/127.0.0.1/tcp/${port}/http"\n`
}

async function tokenOf(repo: string): Promise<string> {
  return (await readFile(join(repo, 'token'), 'utf8')).trim()
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.split('\n').slice(-40).join('\n')
}
