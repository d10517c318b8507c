import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Mover } from '../native/mover.ts'
import type { IndexApi, SpaceApi } from '../protocol/apis.ts'
import type { WorkerTables } from '../state/tables.ts'
import { CacheRecords } from './cache-records.ts'
import { Declarations, type Publications } from './declarations.ts'
import { PathUse } from './disk-use.ts'
import { Grants } from './grants.ts'
import { KeyedLock } from './keyed-lock.ts'
import { LocalPaths } from './local-paths.ts'
import { Operations } from './operations.ts'
import type { StorageParts, StorageSettings } from './parts.ts'
import { PathEngines } from './path-engines.ts'
import { Patience } from './patience.ts'
import { SpaceViews } from './space-views.ts'
import { Tiers } from './tiers.ts'
import { Transfers } from './transfers.ts'

export interface StorageOptions {
  /** Directory of the daemon: `storage.json`, `moves.journal`. */
  readonly repo: string
  readonly db: Kysely<WorkerTables>
  readonly index: IndexApi
  /** The account of space: the sealer's, or this node's own. */
  readonly space: SpaceApi
  readonly publications: Publications
  /** `http://host:port/remote` */
  readonly url: string
  readonly machine: string
  /** This node's name in the account; the same over restarts. */
  readonly owner: string
  readonly fetchToken: () => Promise<string>
  readonly settings: StorageSettings
  readonly clock: Clock
  readonly log: Logger
}

/** Makes what the journeys of this room share. */
export function gatherParts(
  options: StorageOptions,
  mover: Mover,
  closing: AbortSignal,
  cancelling: AbortSignal,
): StorageParts {
  const { db, index, space, publications, url, machine, owner, fetchToken, settings, clock, log } = options
  const patience = new Patience(settings.patienceMs)
  const paths = new LocalPaths(patience)
  const views = new SpaceViews(machine, new PathUse(clock), patience)
  return {
    index,
    paths,
    patience,
    declarations: new Declarations({ index, publications, log, clock, retryMs: settings.heartbeatMs / 2 }),
    grants: new Grants({ db, space, views, paths: () => paths.usable(), owner, clock, log }),
    views,
    tiers: new Tiers(log),
    engines: new PathEngines(settings.copyEngine, patience, log),
    transfers: new Transfers(clock),
    records: new CacheRecords(db, clock),
    mover,
    operations: new Operations(owner),
    locks: new KeyedLock(),
    url,
    fetchToken,
    settings,
    clock,
    log,
    closing,
    cancelling,
  }
}
