import { writeFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, SealyardError } from '../base/errors.ts'
import { createClient } from '../protocol/rpc-client.ts'
import { sealerMethods } from '../protocol/sealer-methods.ts'
import { workerMethods } from '../protocol/worker-methods.ts'
import { command, type RunningNode, spell, startDaemon, stopDaemon, type TourNode } from './daemons.ts'
import { freePort } from './host-facts.ts'
import type { Interrupts } from './interrupts.ts'
import { say } from './say.ts'

export const MINER = 1005

/** The founding document's deployment: three daemons, one machine, one store filesystem. */
export interface Cluster {
  readonly directory: string
  readonly sealer: RunningNode
  readonly workers: readonly RunningNode[]
}

/** An earlier tour's scratch goes; a cluster that still runs there stays, and so do its files. */
export async function clearScratch(directory: string): Promise<void> {
  const running = await runningPids(directory)
  if (running.length > 0) {
    throw new SealyardError({
      code: 'TOUR_RUNNING',
      level: 'permanent',
      message: `an earlier tour still runs in ${directory} (processes ${running.join(', ')}); end it with Ctrl-C, or kill these processes, and start again`,
    })
  }
  await rm(directory, { recursive: true, force: true }).catch((cause: unknown) => {
    throw new SealyardError({
      code: 'TOUR_SCRATCH',
      level: 'permanent',
      message: `the scratch directory of an earlier tour, ${directory}, cannot be removed (${describeError(cause)}); remove it as the user whose tour it was, and start again`,
      cause,
    })
  })
  await mkdir(join(directory, 'logs'), { recursive: true })
}

async function runningPids(directory: string): Promise<number[]> {
  const text = await readFile(join(directory, 'pids.json'), 'utf8').catch(() => '[]')
  const pids = text.match(/\d+/g) ?? []
  const alive = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return line.includes(directory) ? Number(pid) : 0
    }),
  )
  return alive.filter((pid) => pid !== 0)
}

/** What the founding document's cards say; ports are its ports where they are free. */
async function nodes(directory: string): Promise<{ sealer: TourNode; workers: TourNode[] }> {
  const port = async (name: string, wanted: number) => {
    const got = await freePort(wanted)
    if (got !== wanted) say(`port ${wanted} is in use: ${name} takes ${got}`)
    return got
  }
  const sealer: TourNode = {
    name: 'sealer',
    kind: 'sealer',
    repo: join(directory, 'sealer'),
    port: await port('sealer', 2345),
    env: {},
    runArguments: [],
  }
  const worker = async (name: string, wanted: number): Promise<TourNode> => {
    const own = await port(name, wanted)
    return {
      name,
      kind: 'worker',
      repo: join(directory, name.replace('worker', 'w')),
      port: own,
      env: {},
      runArguments: ['--listen', `127.0.0.1:${own}`, '--name', name, '--no-local-storage'],
    }
  }
  return { sealer, workers: [await worker('worker01', 3458), await worker('worker04', 3450)] }
}

/** The sealer's own AP, PC1, PC2 and C2 are off and no unsealed copy is kept: workers seal, UNS really unseals. */
async function configure(sealer: TourNode): Promise<void> {
  await command(sealer, ['init', '--actor', `f0${MINER}`, '--sector-size', '2KiB'])
  const config = `[API]
ListenAddress = "/ip4/127.0.0.1/tcp/${sealer.port}/http"

[Storage]
AllowAddPiece = false
AllowPreCommit1 = false
AllowPreCommit2 = false
AllowCommit = false

[Sealing]
AlwaysKeepUnsealedCopy = false
`
  await writeFile(join(sealer.repo, 'config.toml'), config)
}

/**
 * Starts the three daemons and attaches their paths; all that was started is stopped again when that fails.
 * An interrupt gives the start up.
 */
export async function startCluster(directory: string, interrupts: Interrupts): Promise<Cluster> {
  const { stopping: signal, killing } = interrupts
  const { sealer, workers } = await nodes(directory)
  await configure(sealer)
  const spawned: RunningNode[] = []
  const start = (node: TourNode) => {
    const onSpawn = (running: RunningNode) => {
      spawned.push(running)
      rememberPids(directory, spawned)
    }
    return startDaemon(node, join(directory, 'logs'), { onSpawn, signal, killing })
  }
  try {
    const running = await start(sealer)
    say(`sealer   ${running.url}  miner f0${MINER}, 2 KiB sectors`)
    const info = (await command(running, ['auth', 'api-info', '--perm', 'admin'])).trim()
    const env = { SEALER_API_INFO: info.slice(info.indexOf('=') + 1) }
    const started = await Promise.all(workers.map((each) => start({ ...each, env })))
    for (const worker of started) say(`${worker.name} ${worker.url}`)
    const cluster = { directory, sealer: running, workers: started }
    await attachPaths(cluster)
    await untilConnected(cluster, signal)
    return cluster
  } catch (error) {
    await Promise.all(spawned.map((node) => stopDaemon(node)))
    throw error
  }
}

/** At one go: two workers start beside each other, and two writes at a time would leave a mixture. */
function rememberPids(directory: string, running: readonly RunningNode[]): void {
  writeFileSync(join(directory, 'pids.json'), JSON.stringify(running.map((node) => node.child.pid)))
}

async function attachPaths(cluster: Cluster): Promise<void> {
  const at = (name: string) => join(cluster.directory, name)
  const { sealer, workers } = cluster
  const [w01, w04] = workers as [RunningNode, RunningNode]
  const attach = async (node: RunningNode, path: string, ...flags: string[]) => {
    await command(node, ['storage', 'attach', ...flags, at(path)])
    say(spell(node, ['storage', 'attach', ...flags, `.tour/${path}`]))
  }
  // A nested path: the founding document has its second store inside the first.
  await attach(sealer, 'mnt/f01005', '--init', '--store')
  await attach(sealer, 'mnt/f01005/store', '--init', '--store', '--weight', '8')
  await Promise.all([
    attach(sealer, 'tmpsealer', '--init', '--seal'),
    attach(w01, 'tmpw01', '--init', '--seal', '--groups', 'w01', '--allow-to', 'w01'),
    attach(w04, 'tmpw04', '--init', '--seal', '--groups', 'w04', '--allow-to', 'w04'),
    // The same directories seen by a second daemon: one path, two URLs.
    attach(w01, 'mnt/f01005/store'),
    attach(w04, 'mnt/f01005'),
  ])
}

/** Workers count once the scheduler lists them. */
async function untilConnected(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const client = await sealerOf(cluster)
  const deadline = performance.now() + 30_000
  for (;;) {
    signal.throwIfAborted()
    const hosts = Object.values(await client.WorkerStats()).map((worker) => worker.Info.Hostname)
    if (cluster.workers.every((worker) => hosts.includes(worker.name))) return
    if (performance.now() > deadline) {
      throw new SealyardError({
        code: 'WORKERS_MISSING',
        level: 'permanent',
        message: `only ${hosts.join(', ') || 'no worker'} connected within 30 s; the logs are in ${join(cluster.directory, 'logs')}`,
      })
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function tokenOf(node: RunningNode): Promise<string> {
  return (await readFile(join(node.repo, 'token'), 'utf8')).trim()
}

export async function sealerOf(cluster: Cluster) {
  const { sealer } = cluster
  return createClient(sealerMethods, {
    url: `${sealer.url}/rpc/v0`,
    token: await tokenOf(sealer),
    timeoutMs: 0,
  })
}

export async function workerOf(node: RunningNode) {
  return createClient(workerMethods, { url: `${node.url}/rpc/v0`, token: await tokenOf(node), timeoutMs: 0 })
}

/** `.tour/cluster.json`, for scripts. */
export async function writeClusterFile(cluster: Cluster, sector: number, pieceFile: string): Promise<string> {
  const file = join(cluster.directory, 'cluster.json')
  const nodes = [cluster.sealer, ...cluster.workers].map((node) => ({
    name: node.name,
    url: node.url,
    repo: node.repo,
    tokenFile: join(node.repo, 'token'),
  }))
  const content = { nodes, sector: { miner: MINER, number: sector, pieceFile } }
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`)
  return file
}

/** Workers first, so that their last results still reach the sealer. */
export async function stopCluster(cluster: Cluster, killing: AbortSignal): Promise<void> {
  const stops = await Promise.all(cluster.workers.map((worker) => stopDaemon(worker)))
  stops.push(await stopDaemon(cluster.sealer))
  if (stops.includes(false) && !killing.aborted) say('a daemon had to be killed: it did not stop within 30 s')
}
