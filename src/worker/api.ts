import { isSealyardError } from '../base/errors.ts'
import { type Log, parseLogLevel } from '../base/log.ts'
import type { WorkerApi } from '../protocol/apis.ts'
import { openRpcDocument } from '../protocol/openrpc.ts'
import { type FetchLimitsNow, type NodeInfo, WORKER_API_VERSION, type WorkerInfo } from '../protocol/types.ts'
import { workerMethods } from '../protocol/worker-methods.ts'
import type { SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import type { NodeStorage } from '../storage/node-storage.ts'
import type { Calls } from './calls.ts'
import { isNotHeld, WorkerError, workerError } from './errors.ts'
import { hostResources } from './host.ts'
import { type TaskCalls, taskCalls } from './task-calls.ts'
import type { TaskSwitches } from './task-switches.ts'
import type { TaskTools } from './task-tools.ts'

/** What the worker tells of itself, and what does not change while it runs. */
export interface WorkerFace {
  readonly session: string
  readonly node: NodeInfo
  readonly info: {
    readonly hostname: string
    readonly ignoreResources: boolean
    readonly noSwap: boolean
    readonly resources: WorkerInfo['Resources']['Resources']
  }
}

/** Whether the worker takes work. */
export interface WorkerSwitch {
  /** The operator's word, or that of a failure of this host. */
  enabled: boolean
  /** Whether its state file can be written; comes back by itself. */
  canRemember: boolean
}

function takesWork({ enabled, canRemember }: WorkerSwitch): boolean {
  return enabled && canRemember
}

export interface WorkerParts {
  readonly face: WorkerFace
  readonly switch: WorkerSwitch
  readonly tasks: TaskSwitches
  readonly calls: Calls
  readonly storage: NodeStorage
  readonly tools: Omit<TaskTools, 'signal'>
  readonly log: Log
  readonly onShutdown: () => void
}

/** The worker's side of the wire; the sealer calls the same object in process. */
export function workerApi(parts: WorkerParts): WorkerApi {
  return { ...faceCalls(parts), ...switchCalls(parts), ...storageCalls(parts), ...taskCalls(parts) }
}

type Part<K extends keyof WorkerApi> = Pick<WorkerApi, K>

function faceCalls({
  face,
  switch: power,
  log,
  onShutdown,
}: WorkerParts): Part<
  | 'Version'
  | 'Info'
  | 'Session'
  | 'ProcessSession'
  | 'NodeInfo'
  | 'Discover'
  | 'LogList'
  | 'LogSetLevel'
  | 'Shutdown'
> {
  const { session, node, info } = face
  return {
    Version: async () => WORKER_API_VERSION,
    Info: async () => ({
      Hostname: info.hostname,
      IgnoreResources: info.ignoreResources,
      Resources: { ...(await hostResources(info.noSwap)), Resources: info.resources },
    }),
    Session: async () => {
      if (takesWork(power)) return session
      // lotus' words; its miner takes the worker out of the schedule on any error here.
      throw workerError({ code: 'WORKER_DISABLED', level: 'temporary', message: 'worker disabled' })
    },
    ProcessSession: async () => session,
    NodeInfo: async () => ({ ...node, kind: 'worker', session }),
    Discover: async () => openRpcDocument(workerMethods, { title: 'Sealyard worker', version: node.version }),
    LogList: async () => log.subsystems(),
    LogSetLevel: async (subsystem, level) => log.setLevel(subsystem, parseLogLevel(level)),
    Shutdown: async () => onShutdown(),
  }
}

function switchCalls({
  switch: power,
  tasks,
  calls,
}: WorkerParts): Part<'TaskTypes' | 'TaskEnable' | 'TaskDisable' | 'SetEnabled' | 'Enabled' | 'WaitQuiet'> {
  return {
    TaskTypes: () => tasks.types(),
    TaskEnable: async (task) => tasks.enable(task),
    TaskDisable: async (task) => tasks.disable(task),
    SetEnabled: async (enabled) => {
      power.enabled = enabled
    },
    Enabled: async () => takesWork(power),
    WaitQuiet: () => calls.quiet(),
  }
}

function storageCalls({
  storage,
}: WorkerParts): Omit<
  WorkerApi,
  keyof ReturnType<typeof faceCalls> | keyof ReturnType<typeof switchCalls> | keyof TaskCalls
> {
  return {
    // From memory: a miner asks for them with every decision.
    Paths: async () => storage.workerPaths(),
    StorageLocal: async () => storage.localPaths(),
    StorageAddLocal: (directory) => storage.attach(directory),
    StorageDetachLocal: (directory) => storage.detach(directory),
    StorageDetachAll: () => storage.detachAll(),
    StorageRedeclareLocal: (pathId, dropMissing) => storage.redeclare(pathId, dropMissing),
    Remove: (sector) => removeSector(storage, sector),
    Transfers: async () => storage.transfers(),
    StorageTiers: () => storage.tiers(),
    Quarantine: () => storage.quarantine(),
    QuarantineRestore: (name) => storage.restoreQuarantined(name),
    QuarantineRemove: (name) => storage.removeQuarantined(name),
    InterruptedMoves: async () => storage.interruptedMoves(),
    SettleMove: (op) => storage.settleMove(op),
    CopyEngines: () => storage.copyEngines(),
    FetchLimits: async () => storage.fetchLimits(),
    SetFetchLimits: async (limits: FetchLimitsNow) => storage.setFetchLimits(limits),
  }
}

const REMOVED: readonly SectorFileType[] = ['sealed', 'cache', 'unsealed']

/** All three are tried whatever happens to one; only what stayed is an error, for "it is gone" must be true. */
async function removeSector(storage: NodeStorage, sector: SectorId): Promise<void> {
  const failures: { type: SectorFileType; error: unknown }[] = []
  for (const type of REMOVED) {
    try {
      await storage.remove(sector, type, [])
    } catch (error) {
      if (!isNotHeld(error)) failures.push({ type, error })
    }
  }
  const [first] = failures
  if (first === undefined) return
  throw new WorkerError({
    code: 'REMOVE_INCOMPLETE',
    level: isSealyardError(first.error) ? first.error.level : 'temporary',
    message: `these files of the sector could not be removed: ${failures.map(({ type }) => type).join(', ')}`,
    sector: sectorName(sector),
    cause: first.error,
  })
}
