import { randomUUID } from 'node:crypto'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type Node, startNode } from '../api/node.ts'
import { WorkerTokenVerifier } from '../api/worker-tokens.ts'
import type { LoadedSettings } from '../config/load-settings.ts'
import type { Settings } from '../config/settings-table.ts'
import { openExecutor } from '../proofs/open-executor.ts'
import { isEveryAddress, parseListenAddress } from '../protocol/api-info.ts'
import type { SealerApi, SpaceApi } from '../protocol/apis.ts'
import { dialSealer } from '../protocol/connections.ts'
import type { NodeInfo } from '../protocol/types.ts'
import { workerMethods } from '../protocol/worker-methods.ts'
import { resourceTable } from '../scheduler/resources.ts'
import { proofTypeForSize } from '../sectors/proof-types.ts'
import { STANDING_TASKS, type TaskCode } from '../sectors/task-types.ts'
import { openWorkerState } from '../state/open.ts'
import { initStoragePath } from '../storage/init-storage-path.ts'
import { machineId } from '../storage/machine.ts'
import { RememberedReservations } from '../storage/reservation-store.ts'
import { SpaceAccount } from '../storage/space-account.ts'
import { Storage } from '../storage/storage.ts'
import { RemoteAnswers } from '../worker/remote-backend.ts'
import { SealerSession } from '../worker/session.ts'
import { Worker } from '../worker/worker.ts'
import { type Daemon, writeEndpointFiles } from './daemon.ts'
import { executorOptions, hostName, nodeOptions, storageSettings, tasksMayEndMs } from './from-settings.ts'
import type { Endpoint } from './nodes.ts'
import { addressTowards } from './own-address.ts'
import { VERSION } from './version.ts'

/** What everything else of a worker stands on. */
interface Ground extends Daemon {
  readonly loaded: LoadedSettings
  readonly endpoint: Endpoint
  readonly env: NodeJS.ProcessEnv
  readonly session: SealerSession
  /** Of the cluster's sectors. */
  readonly proofType: number
  readonly db: Awaited<ReturnType<typeof openWorkerState>>['db']
  readonly node: Node
  readonly executor: Awaited<ReturnType<typeof openExecutor>>
  readonly info: NodeInfo
}

/** Wires a worker: the sealer first, then its port, its paths, its tasks; last it offers itself. */
export async function startWorker(
  daemon: Daemon,
  loaded: LoadedSettings,
  endpoint: Endpoint,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const ground = await layGround(daemon, loaded, endpoint, env)
  const storage = await openStorage(ground)
  const worker = await openWorker(ground, storage)
  const { node, executor, session, log } = ground
  const remote = new RemoteAnswers({ storage, executor, scratch: ground.scratch })
  node.serve({ table: workerMethods, implementation: worker.api, remote })
  // The field's worker uses one token, its miner's, for calls and for fetches.
  await writeEndpointFiles(daemon, node.url, endpoint.token)
  await session.register({ url: node.url, introduceAgain: () => storage.introduceAgain() })
  const fields = { url: node.url, sealer: endpoint.url, executor: executor.description }
  log.logger('main').info('worker is up', fields)
}

async function layGround(
  daemon: Daemon,
  loaded: LoadedSettings,
  endpoint: Endpoint,
  env: NodeJS.ProcessEnv,
): Promise<Ground> {
  const { repo, settings, clock, shutdown } = daemon
  const session = await connectSealer(daemon, endpoint)
  const sealer = session.sealer()
  const sectorSize = await sealer.ActorSectorSize(await sealer.ActorAddress())
  const state = await openWorkerState(join(repo, 'state.sqlite'))
  shutdown.add('state', () => state.close())
  const verifier = new WorkerTokenVerifier({ ask: (token) => sealer.AuthVerify(token), clock })
  const advertisedHost = await hostTowards(settings, endpoint.url)
  const node = await startNode({ ...(await nodeOptions(daemon)), advertisedHost, verifier })
  shutdown.add('port', () => node.close(settings.API.ShutdownTimeout))
  const executor = await openExecutor(executorOptions(daemon))
  const info = await describeNode(daemon, node, executor.description)
  const proofType = proofTypeForSize(sectorSize)
  return { ...daemon, loaded, endpoint, env, session, proofType, db: state.db, node, executor, info }
}

async function openWorker(ground: Ground, storage: Storage): Promise<Worker> {
  const { settings, shutdown, clock, log, loaded, env, session, proofType, db, node, executor, info } = ground
  const worker = await Worker.open({
    storage,
    executor,
    readers: node.readers,
    db,
    returns: session.sealer(),
    info: {
      hostname: info.name,
      ignoreResources: false,
      noSwap: settings.Worker.NoSwap,
      resources: resourceTable(env),
    },
    tasks: [...STANDING_TASKS, ...switchedTasks(loaded)],
    node: info,
    proofType,
    scratch: ground.scratch,
    onShutdown: () => void shutdown.stop('Shutdown was called'),
    log,
    clock,
  })
  shutdown.add('worker', () => worker.close(tasksMayEndMs(settings)))
  return worker
}

async function connectSealer({ settings, clock, log, shutdown }: Daemon, endpoint: Endpoint) {
  const session = await SealerSession.connect(
    {
      dial: () => dialSealer(`${endpoint.url}/rpc/v0`, endpoint.token, { timeoutMs: settings.API.Timeout }),
      heartbeatMs: settings.Worker.HeartbeatInterval,
      clock,
      log: log.logger('worker'),
    },
    shutdown.signal,
  )
  shutdown.add('session', () => session.close())
  return session
}

async function openStorage(ground: Ground): Promise<Storage> {
  const { repo, settings, shutdown, clock, log, node, info, endpoint, db, session } = ground
  const isFirstStart = !(await access(join(repo, 'storage.json')).then(
    () => true,
    () => false,
  ))
  const sealer = session.sealer()
  const storage = await Storage.open({
    repo,
    db,
    index: sealer,
    space: accountOf(ground, session, sealer),
    publications: node.publications,
    url: `${node.url}/remote`,
    machine: info.machine,
    owner: `${info.machine} ${repo}`,
    fetchToken: async () => endpoint.token,
    settings: storageSettings(settings),
    clock,
    log: log.logger('stores'),
  })
  shutdown.add('storage', () => storage.close(settings.API.ShutdownTimeout))
  if (isFirstStart && !settings.Worker.NoLocalStorage) await makeOwnPath(repo, storage)
  return storage
}

/** A lotus or venus miner keeps no account of space: this node then counts alone. */
function accountOf({ settings, clock, log }: Daemon, session: SealerSession, sealer: SealerApi): SpaceApi {
  if (session.info !== null) return sealer
  return new SpaceAccount({
    store: new RememberedReservations(),
    clock,
    log: log.logger('stores'),
    floorBytes: settings.Space.Floor,
  })
}

/** As in the field: a worker's first start makes a seal path of its repo. */
async function makeOwnPath(repo: string, storage: Storage): Promise<void> {
  const own = { weight: 10, canSeal: true, canStore: false, maxStorageBytes: 0, groups: [], allowTo: [] }
  await initStoragePath(repo, own)
  await storage.attach(repo)
}

async function describeNode({ settings }: Daemon, node: Node, executor: string): Promise<NodeInfo> {
  return {
    kind: 'worker',
    name: hostName(settings.Worker.Name),
    version: VERSION,
    session: randomUUID(),
    machine: await machineId(settings.Storage.Machine),
    url: node.url,
    executor,
  }
}

/** The address that others are told when the node listens on every one: that from which it reaches its sealer. */
async function hostTowards({ API: { ListenAddress: listen } }: Settings, sealerUrl: string): Promise<string> {
  const { host } = parseListenAddress(listen)
  return isEveryAddress(host) ? addressTowards(sealerUrl) : host
}

/** `--no-default` drops what was not set explicitly. */
function switchedTasks(loaded: LoadedSettings): TaskCode[] {
  const { value } = loaded
  const switches = [
    ['AP', 'AddPiece'],
    ['PC1', 'PreCommit1'],
    ['PC2', 'PreCommit2'],
    ['C2', 'Commit'],
    ['UNS', 'Unseal'],
  ] as const
  const counts = (key: string) => !value.Worker.NoDefault || loaded.isSet(`Worker.${key}`)
  return switches.filter(([, key]) => value.Worker[key] && counts(key)).map(([code]) => code)
}
