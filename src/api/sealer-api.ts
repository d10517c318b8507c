import type { Log } from '../base/log.ts'
import { parseLogLevel } from '../base/log.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import type { IndexApi, ReturnApi, SealerApi, SpaceApi } from '../protocol/apis.ts'
import { PERMISSIONS } from '../protocol/method.ts'
import { methodsOf } from '../protocol/methods-of.ts'
import { openRpcDocument } from '../protocol/openrpc.ts'
import { indexMethods, returnMethods, sealerMethods, spaceMethods } from '../protocol/sealer-methods.ts'
import { type FetchLimitsNow, type FsStat, MINER_API_VERSION, type NodeInfo } from '../protocol/types.ts'
import { releaseReservation } from '../scheduler/release-reservation.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { minerAddress } from '../sectors/sector-id.ts'
import type { NodeStorage } from '../storage/node-storage.ts'
import type { SealerTokens } from './auth.ts'
import { apiError } from './errors.ts'
import { remoteStat } from './remote-stat.ts'
import { parseScope, scopesIn } from './scopes.ts'

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
    FetchLimits: async () => storage.fetchLimits(),
    SetFetchLimits: async (limits: FetchLimitsNow) => storage.setFetchLimits(limits),
    Transfers: async () => storage.transfers(),
    Quarantine: () => storage.quarantine(),
    QuarantineRestore: (name: string) => storage.restoreQuarantined(name),
    QuarantineRemove: (name: string) => storage.removeQuarantined(name),
    InterruptedMoves: async () => storage.interruptedMoves(),
    SettleMove: (op: string) => storage.settleMove(op),
  }
}

function schedulerMethods({ scheduler, space, connectWorker }: SealerParts) {
  return {
    WorkerConnect: connectWorker,
    WorkerStats: async () => scheduler.workerStats(),
    WorkerJobs: async () => scheduler.workerJobs(),
    SealingSchedDiag: (force: boolean) => scheduler.diag(force),
    SealingAbort: (...call: Parameters<Scheduler['abort']>) => scheduler.abort(...call),
    SealingRemoveRequest: (id: string) => scheduler.removeRequest(id),
    Decisions: async () => scheduler.decisions(),
    ReservationRelease: (id: string) => releaseReservation(space, scheduler.workerJobs(), id),
  }
}

function authMethods({ tokens }: SealerParts) {
  const verify = (token: string): Promise<string[]> => tokens.permissionsOf(token)
  return {
    AuthVerify: verify,
    StorageAuthVerify: verify,
    AuthNew: async (wanted: string[], lifetimeSeconds?: number | null) => {
      const isKnown = (each: string) =>
        (PERMISSIONS as readonly string[]).includes(each) || parseScope(each) !== null
      const unknown = wanted.find((each) => !isKnown(each))
      if (unknown !== undefined) {
        const words = `${PERMISSIONS.join(', ')}, and read-storage, write-storage, delete-storage, of which the first and the last may name what they are for, such as read-storage:sealed/s-t01000-7`
        throw apiError('BAD_REQUEST', `'${unknown}' is no permission; there are ${words}`)
      }
      const permissions = PERMISSIONS.filter((each) => wanted.includes(each))
      const token = await tokens.create(permissions, lifetimeSeconds ?? null, scopesIn(wanted))
      return Buffer.from(token).toString('base64')
    },
  }
}

/** A path's space, from this machine's own disk or from a node that sees it. */
async function statOf({ storage, index, token }: SealerParts, id: string): Promise<FsStat> {
  if (id in storage.localPaths()) return storage.stat(id)
  const { URLs } = await index.StorageInfo(id)
  return remoteStat(URLs, id, token)
}
