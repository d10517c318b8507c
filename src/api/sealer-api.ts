import type { Log } from '../base/log.ts'
import { parseLogLevel } from '../base/log.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import type { IndexApi, ReturnApi, SealerApi, SpaceApi } from '../protocol/apis.ts'
import { PERMISSIONS } from '../protocol/method.ts'
import { methodsOf } from '../protocol/methods-of.ts'
import { openRpcDocument } from '../protocol/openrpc.ts'
import { indexMethods, returnMethods, sealerMethods, spaceMethods } from '../protocol/sealer-methods.ts'
import { type FsStat, fsStat, MINER_API_VERSION, type NodeInfo } from '../protocol/types.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { minerAddress } from '../sectors/sector-id.ts'
import type { NodeStorage } from '../storage/node-storage.ts'
import type { SealerTokens } from './auth.ts'
import { apiError } from './errors.ts'

/** The rooms a sealer's RPC answers from. */
export interface SealerParts {
  readonly index: IndexApi
  readonly space: SpaceApi
  readonly storage: NodeStorage
  readonly scheduler: Scheduler
  readonly pipeline: Pipeline
  readonly tokens: SealerTokens
  /** This sealer's own token, for asking other nodes. */
  readonly token: string
  readonly node: NodeInfo
  readonly miner: number
  readonly sectorSize: number
  readonly log: Log
  /** Dials a worker that offers itself by the URL of its `/rpc/v0`. */
  readonly connectWorker: (url: string) => Promise<void>
  readonly stop: () => void
}

/** How long a node may take to answer for the space of a path. */
const STAT_TIMEOUT_MS = 10_000
/** What lotus nodes of mainnet say. */
const BLOCK_DELAY_SECONDS = 30

/** Every method of a sealer; each is answered by the room it belongs to. */
export function sealerApi(parts: SealerParts): SealerApi {
  return {
    ...methodsOf(indexMethods, parts.index),
    ...methodsOf(spaceMethods, parts.space),
    ...methodsOf(returnMethods, parts.scheduler.returns as ReturnApi),
    ...nodeMethods(parts),
    ...ownStorageMethods(parts),
    ...schedulerMethods(parts),
    ...authMethods(parts),
    ...parts.pipeline.api,
  }
}

function nodeMethods({ node, log, stop, miner, sectorSize }: SealerParts) {
  return {
    Discover: async () => openRpcDocument(sealerMethods, { title: 'sealyard-sealer', version: node.version }),
    Session: async () => node.session,
    Shutdown: async () => stop(),
    LogList: async () => log.subsystems(),
    LogSetLevel: async (subsystem: string, level: string) => log.setLevel(subsystem, parseLogLevel(level)),
    NodeInfo: async () => node,
    Version: async () => ({
      Version: `${node.version}+sealyard`,
      APIVersion: MINER_API_VERSION,
      BlockDelay: BLOCK_DELAY_SECONDS,
    }),
    ActorAddress: async () => minerAddress(miner),
    ActorSectorSize: async () => sectorSize,
  }
}

function ownStorageMethods(parts: SealerParts) {
  const { storage } = parts
  return {
    StorageLocal: async () => storage.localPaths(),
    StorageAddLocal: (directory: string) => storage.attach(directory),
    StorageDetachLocal: (directory: string) => storage.detach(directory),
    StorageRedeclareLocal: (id: string | null, drop: boolean) => storage.redeclare(id, drop),
    StorageStat: (id: string) => statOf(parts, id),
    StorageTiers: () => storage.tiers(),
    Transfers: async () => storage.transfers(),
  }
}

function schedulerMethods({ scheduler, connectWorker }: SealerParts) {
  return {
    WorkerConnect: connectWorker,
    WorkerStats: async () => scheduler.workerStats(),
    WorkerJobs: async () => scheduler.workerJobs(),
    SealingSchedDiag: (force: boolean) => scheduler.diag(force),
    SealingAbort: (...call: Parameters<Scheduler['abort']>) => scheduler.abort(...call),
    SealingRemoveRequest: (id: string) => scheduler.removeRequest(id),
    Decisions: async () => scheduler.decisions(),
  }
}

function authMethods({ tokens }: SealerParts) {
  const verify = (token: string): Promise<string[]> => tokens.permissionsOf(token)
  return {
    AuthVerify: verify,
    StorageAuthVerify: verify,
    AuthNew: async (wanted: string[]) => {
      const unknown = wanted.find((each) => !(PERMISSIONS as readonly string[]).includes(each))
      if (unknown !== undefined) {
        throw apiError('BAD_REQUEST', `'${unknown}' is no permission; there are ${PERMISSIONS.join(', ')}`)
      }
      const permissions = PERMISSIONS.filter((each) => wanted.includes(each))
      return Buffer.from(await tokens.create(permissions)).toString('base64')
    },
  }
}

/** A path's space, from this machine's own disk or from the first node that answers for it. */
async function statOf({ storage, index, token }: SealerParts, id: string): Promise<FsStat> {
  if (id in storage.localPaths()) return storage.stat(id)
  const { URLs } = await index.StorageInfo(id)
  let failure: unknown = null
  for (const url of URLs) {
    try {
      const response = await fetch(`${url.replace(/\/+$/, '')}/stat/${id}`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(STAT_TIMEOUT_MS),
      })
      if (response.ok) return fsStat.parse(await response.json())
      failure = new Error(`${url} answered HTTP ${response.status}`)
    } catch (cause) {
      failure = cause
    }
  }
  throw apiError('UNAVAILABLE', `no node that has storage path ${id} answered`, failure)
}
