import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { SealerTokens } from '../api/auth.ts'
import { type Node, startNode } from '../api/node.ts'
import { sealerApi } from '../api/sealer-api.ts'
import { describeError, SealyardError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { OfflineChain } from '../chain/offline-chain.ts'
import type { Settings } from '../config/settings-table.ts'
import { Pipeline } from '../pipeline/pipeline.ts'
import { openExecutor } from '../proofs/open-executor.ts'
import { isEveryAddress, parseListenAddress } from '../protocol/api-info.ts'
import { dialWorker, type WorkerConnection } from '../protocol/connections.ts'
import { PERMISSIONS } from '../protocol/method.ts'
import { pushFile } from '../protocol/reader-streams.ts'
import { sealerMethods } from '../protocol/sealer-methods.ts'
import type { NodeInfo } from '../protocol/types.ts'
import { resourceTable } from '../scheduler/resources.ts'
import { Scheduler } from '../scheduler/scheduler.ts'
import { SectorIndex } from '../sector-index/sector-index.ts'
import { proofTypeForSize } from '../sectors/proof-types.ts'
import { minerAddress } from '../sectors/sector-id.ts'
import { STANDING_TASKS, type TaskCode } from '../sectors/task-types.ts'
import { openSealerState } from '../state/open.ts'
import { machineId } from '../storage/machine.ts'
import { DurableReservations } from '../storage/reservation-store.ts'
import { SpaceAccount } from '../storage/space-account.ts'
import { Storage } from '../storage/storage.ts'
import { RemoteAnswers } from '../worker/remote-backend.ts'
import { Worker } from '../worker/worker.ts'
import { type Daemon, writeEndpointFiles } from './daemon.ts'
import { executorOptions, hostName, nodeOptions, storageSettings, tasksMayEndMs } from './from-settings.ts'
import { type MinerFile, readMinerFile } from './miner-file.ts'
import { VERSION } from './version.ts'

/** What everything else of a sealer stands on. */
interface Ground extends Daemon {
  readonly env: NodeJS.ProcessEnv
  readonly miner: MinerFile
  readonly tokens: SealerTokens
  /** The sealer's own, with every permission. */
  readonly token: string
  readonly db: Awaited<ReturnType<typeof openSealerState>>['db']
  readonly index: SectorIndex
  readonly space: SpaceAccount
  readonly node: Node
  readonly executor: Awaited<ReturnType<typeof openExecutor>>
  readonly info: NodeInfo
}

/** Wires a sealer from the ground up: state, index, account, port, paths, scheduler, its own worker, pipeline. */
export async function startSealer(daemon: Daemon, env: NodeJS.ProcessEnv): Promise<void> {
  const ground = await layGround(daemon, env)
  const storage = await openStorage(ground)
  const scheduler = await openScheduler(ground)
  await openOwnWorker(ground, storage, scheduler)
  const pipeline = await openPipeline(ground, storage, scheduler)
  serve(ground, storage, scheduler, pipeline)
  const { node, token, miner, executor } = ground
  await writeEndpointFiles(daemon, node.url, token)
  const fields = { url: node.url, miner: minerAddress(miner.Miner), executor: executor.description }
  daemon.log.logger('main').info('sealer is up', fields)
}

async function layGround(daemon: Daemon, env: NodeJS.ProcessEnv): Promise<Ground> {
  const { repo, settings, log, clock, shutdown } = daemon
  assertReachable(settings)
  const miner = await minerOf(repo)
  const tokens = await SealerTokens.open(repo, clock)
  const token = await tokens.create(PERMISSIONS)
  const state = await openSealerState(join(repo, 'state.sqlite'))
  shutdown.add('state', () => state.close())
  const index = await SectorIndex.open({ db: state.db, clock, log: log.logger('sectorindex') })
  shutdown.add('sector index', () => index.close())
  const space = new SpaceAccount({
    store: new DurableReservations(state.db, clock),
    clock,
    log: log.logger('stores'),
    floorBytes: settings.Space.Floor,
  })
  const node = await startNode({ ...(await nodeOptions(daemon)), verifier: tokens })
  shutdown.add('port', () => node.close(settings.API.ShutdownTimeout))
  const executor = await openExecutor(executorOptions(daemon))
  const info = await describeNode(daemon, node, executor.description)
  return { ...daemon, env, miner, tokens, token, db: state.db, index, space, node, executor, info }
}

/**
 * Workers are told where the sealer's files are: from "every address" each would take itself.
 * @throws SealyardError BAD_SETTING
 */
function assertReachable({
  API: { ListenAddress: listen, RemoteListenAddress: advertised },
}: Settings): void {
  const { host, port } = parseListenAddress(listen)
  if (advertised !== '' || !isEveryAddress(host)) return
  throw new SealyardError({
    code: 'BAD_SETTING',
    level: 'permanent',
    message:
      `the sealer is to listen on every address (${listen}), but workers have to be told one: set ` +
      `API.RemoteListenAddress to the host:port under which they reach it, such as 10.0.0.5:${port}`,
  })
}

async function openStorage(ground: Ground): Promise<Storage> {
  const { repo, settings, shutdown, clock, log, db, index, space, node, info, token } = ground
  const storage = await Storage.open({
    repo,
    db,
    index,
    space,
    publications: node.publications,
    url: `${node.url}/remote`,
    machine: info.machine,
    owner: `${info.machine} ${repo}`,
    fetchToken: async () => token,
    settings: storageSettings(settings),
    clock,
    log: log.logger('stores'),
  })
  shutdown.add('storage', () => storage.close(settings.API.ShutdownTimeout))
  return storage
}

async function openScheduler({ db, index, settings, clock, log, shutdown }: Ground): Promise<Scheduler> {
  const scheduler = await Scheduler.open({
    db,
    index,
    policyFile: settings.Scheduler.Policy,
    disallowRemoteFinalize: settings.Storage.DisallowRemoteFinalize,
    settleMs: settings.Scheduler.SettleTime,
    clock,
    log,
  })
  shutdown.add('scheduler', () => scheduler.close(settings.API.ShutdownTimeout))
  return scheduler
}

/** The sealer is a worker too, for the paths on its machine. */
async function openOwnWorker(ground: Ground, storage: Storage, scheduler: Scheduler): Promise<void> {
  const { settings, shutdown, clock, log, db, node, info, executor, miner, env, token } = ground
  const worker = await Worker.open({
    storage,
    executor,
    readers: node.readers,
    db,
    returns: scheduler.returns,
    info: {
      hostname: info.name,
      ignoreResources: settings.Storage.ResourceFiltering === 'disabled',
      noSwap: false,
      resources: resourceTable(env),
    },
    tasks: ownTasks(settings),
    node: { ...info, kind: 'worker' },
    proofType: proofTypeForSize(miner.SectorSize),
    scratch: ground.scratch,
    onShutdown: () => undefined,
    log,
    clock,
  })
  shutdown.add('worker', () => worker.close(tasksMayEndMs(settings)))
  await scheduler.connect(ownWorker(worker, { ...info, kind: 'worker' }, node.url, token))
}

async function openPipeline(ground: Ground, storage: Storage, scheduler: Scheduler): Promise<Pipeline> {
  const { repo, settings, shutdown, clock, log, db, index, node, executor, miner, token } = ground
  const pipeline = await Pipeline.open({
    db,
    tasks: scheduler.tasks,
    index,
    storage,
    executor,
    chain: new OfflineChain({ clock, waitMs: settings.Chain.OfflineWait }),
    readers: node.readers,
    miner: miner.Miner,
    sectorSize: miner.SectorSize,
    repo,
    keepUnsealed: settings.Sealing.AlwaysKeepUnsealedCopy,
    minRetryMs: settings.Sealing.MinRetryTime,
    workersBackMs: settings.Sealing.WorkersBackTime,
    token: async () => token,
    clock,
    log: log.logger('sectors'),
  })
  shutdown.add('pipeline', () => pipeline.close(settings.API.ShutdownTimeout))
  return pipeline
}

function serve(ground: Ground, storage: Storage, scheduler: Scheduler, pipeline: Pipeline): void {
  const { settings, shutdown, log, index, space, tokens, token, node, info, miner, executor } = ground
  const implementation = sealerApi({
    index,
    space,
    storage,
    scheduler,
    pipeline,
    tokens,
    token,
    node: info,
    miner: miner.Miner,
    sectorSize: miner.SectorSize,
    log,
    connectWorker: (url) =>
      takeIn(url, log.logger('advmgr'), async () =>
        scheduler.connect(await dialWorker(url, token, { timeoutMs: settings.API.Timeout })),
      ),
    stop: () => void shutdown.stop('Shutdown was called'),
  })
  node.serve({
    table: sealerMethods,
    implementation,
    remote: new RemoteAnswers({ storage, executor, scratch: ground.scratch }),
  })
}

/** The worker hears why it was not taken in; who looks at the sealer's log should too. */
async function takeIn(url: string, log: Logger, connect: () => Promise<void>): Promise<void> {
  try {
    await connect()
  } catch (error) {
    log.warn('a worker that offered itself was not taken in', { url, error: describeError(error) })
    throw error
  }
}

/** @throws SealyardError NOT_INITIALISED */
export async function minerOf(repo: string): Promise<MinerFile> {
  const miner = await readMinerFile(repo)
  if (miner !== null) return miner
  throw new SealyardError({
    code: 'NOT_INITIALISED',
    level: 'permanent',
    message: `${repo} is no sealer repo yet; make it with 'sealyard-sealer init --actor f01005 --sector-size 32GiB'`,
  })
}

async function describeNode(daemon: Daemon, node: Node, executor: string): Promise<NodeInfo> {
  const { settings } = daemon
  return {
    kind: 'sealer',
    name: hostName(settings.Storage.LocalWorkerName),
    version: VERSION,
    session: randomUUID(),
    machine: await machineId(settings.Storage.Machine),
    url: node.url,
    executor,
  }
}

/** What the sealer itself may do: what every worker does, and what the settings allow. */
function ownTasks({ Storage: allowed }: Settings): TaskCode[] {
  const switches: [TaskCode, boolean][] = [
    ['AP', allowed.AllowAddPiece],
    ['PC1', allowed.AllowPreCommit1],
    ['PC2', allowed.AllowPreCommit2],
    ['C2', allowed.AllowCommit],
    ['UNS', allowed.AllowUnseal],
  ]
  return [...STANDING_TASKS, ...switches.filter(([, on]) => on).map(([code]) => code)]
}

/** The sealer's own worker, called in process; a piece for it goes through its own front door. */
function ownWorker(worker: Worker, info: NodeInfo, url: string, token: string): WorkerConnection {
  return {
    api: worker.api,
    info,
    pushFile: (uuid, file, bytes) => pushFile({ url, token, uuid, file, bytes }),
    close: () => undefined,
  }
}
