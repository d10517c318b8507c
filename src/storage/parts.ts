import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { CopyHash, Mover, MoverOptions } from '../native/mover.ts'
import type { IndexApi } from '../protocol/apis.ts'
import type { CacheRecords } from './cache-records.ts'
import type { Declarations } from './declarations.ts'
import type { Grants } from './grants.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LocalPaths } from './local-paths.ts'
import type { Operations } from './operations.ts'
import type { PathEngines } from './path-engines.ts'
import type { Patience } from './patience.ts'
import type { SpaceViews } from './space-views.ts'
import type { Tiers } from './tiers.ts'
import type { Transfers } from './transfers.ts'

export interface StorageSettings {
  /** Downloads at a time; the field's worker has 5. */
  readonly parallelFetchLimit: number
  /** Bytes per second that downloads may receive, in all and from one node; 0 (the default): as many as come. */
  readonly fetchRate?: number
  readonly fetchRatePerPeer?: number
  /** No byte for this long ends a download. */
  readonly progressTimeoutMs: number
  /** How often a path's health is reported; the field's 10 s. */
  readonly heartbeatMs: number
  /** How often all paths are compared with the index, ±20 %. */
  readonly reconcileMs: number
  /** Read back and compare what was copied to another filesystem. */
  readonly verifyCopies: boolean
  /** How data is copied; `auto` takes what suits each file. */
  readonly copyEngine: MoverOptions['copyEngine']
  /** The hash taken of what is copied. */
  readonly copyHash: CopyHash
  /** Bytes of each filesystem never handed out, when this node accounts alone. */
  readonly floorBytes: number
  /** Lengths in bytes that a sealed file may have; without them any will do. */
  readonly sealedLengths?: readonly number[]
  /** Before a download is tried again; doubled and jittered for the next one. 1 s by default. */
  readonly fetchRetryMs?: number
  /** How long a disk may take to say whether a file is there; see Patience for its default. */
  readonly patienceMs?: number
}

export const STORAGE_DEFAULTS: StorageSettings = {
  parallelFetchLimit: 5,
  progressTimeoutMs: 60_000,
  heartbeatMs: 10_000,
  reconcileMs: 600_000,
  verifyCopies: true,
  copyEngine: 'auto',
  copyHash: 'blake3',
  floorBytes: 0,
}

/** What the journeys of this room share. */
export interface StorageParts {
  readonly index: IndexApi
  readonly paths: LocalPaths
  readonly patience: Patience
  readonly declarations: Declarations
  readonly grants: Grants
  readonly views: SpaceViews
  readonly tiers: Tiers
  readonly engines: PathEngines
  readonly transfers: Transfers
  readonly records: CacheRecords
  readonly mover: Mover
  readonly operations: Operations
  /**
   * By `s-t01000-7`: one acquisition or move to the store per sector at a time. By `sealed/s-t01000-7`, taken
   * after that: one transfer or removal per sector file. What another node asks for takes only the latter, so
   * that two nodes that fetch from each other never wait for one another.
   */
  readonly locks: KeyedLock
  /** Base URL of this node's own files, `http://host:port/remote`. */
  readonly url: string
  readonly fetchToken: () => Promise<string>
  readonly settings: StorageSettings
  readonly clock: Clock
  readonly log: Logger
  /** Fires when the node begins to stop: what waits for others gives up. */
  readonly closing: AbortSignal
  /** Fires at the deadline of the stop: running transfers are cut. */
  readonly cancelling: AbortSignal
}
