import type { Generated } from 'kysely'

// Rows as they lie in the file. Bytes are whole numbers below 2^53, times are milliseconds since 1970,
// `json` columns hold text.

/** A call that a worker took and whose result the sealer has not accepted yet. */
export interface WorkerCallRow {
  /** UUID of the CallID. */
  id: string
  miner: number
  number: number
  task: string
  /** Name of the method that hands the result in, `ReturnFetch`. */
  return_method: string
  /** JSON array. */
  params: string
  state: 'running' | 'done'
  /** JSON, null while it runs. */
  result: string | null
  created_at: number
}

/** Space that the account has granted to this node. */
export interface GrantRow {
  id: string
  task: string
  miner: number
  number: number
  file_type: number
  path_id: string
  needed_bytes: number
  reported_bytes: number
  created_at: number
}

export type CachePhaseRecord = 'pc1-started' | 'pc1' | 'pc2-started' | 'pc2' | 'finalized'

/** What a cache directory was made from, and how far it has come. */
export interface CacheRecordRow {
  miner: number
  number: number
  path_id: string
  ticket: string
  /** JSON array of pieces. */
  pieces: string
  phase: CachePhaseRecord
  /** Which start of the machine wrote it; empty when unknown. */
  boot: string
  updated_at: number
}

/** A storage path that the index knows. */
export interface StoragePathRow {
  id: string
  /** Order of first attachment. */
  position: number
  /** StorageInfo as JSON. */
  info: string
}

/** A path holds a file of a sector. */
export interface DeclarationRow {
  path_id: string
  miner: number
  number: number
  /** One bit. */
  file_type: number
  is_primary: number
}

/** Bytes promised on a path, in the sealer's account. */
export interface ReservationRow {
  id: string
  owner: string
  task: string
  miner: number
  number: number
  file_type: number
  path_id: string
  needed_bytes: number
  reported_bytes: number
  on_disk_bytes: number
  created_at: number
}

/** A sector's life so far. */
export interface SectorRow {
  miner: number
  number: number
  state: string
  proof_type: number
  /** JSON. */
  pieces: string
  ticket: string | null
  ticket_epoch: number | null
  seed: string | null
  seed_epoch: number | null
  comm_d: string | null
  comm_r: string | null
  phase1_output: string | null
  /** File that keeps the output of C1, relative to the repo. */
  commit1_file: string | null
  proof: string | null
  precommit_message: string | null
  /** Epoch that the pre-commit landed in. */
  precommit_epoch: number | null
  commit_message: string | null
  /** Failures of any kind so far. */
  retries: number
  /** Failures of the step it is at, since one last succeeded; those that time mends do not count. */
  tries: number
  /** Words for why nothing is done with it until somebody says so. */
  paused: string | null
  /** Failures of PC1 and PC2 themselves; those of PC2 since the last PC1. */
  precommit1_fails: number
  precommit2_fails: number
  last_error: string | null
  keep_unsealed: number
  finalized: number
  /** Directory below the repo's `staging` with data of pieces that are not in the sector yet. */
  staging: string | null
  created_at: number
  updated_at: number
}

/** One line of a sector's log. */
export interface SectorEventRow {
  id: Generated<number>
  miner: number
  number: number
  at: number
  kind: string
  message: string
  trace: string
}

/** Work that was asked of a worker: what makes a restarted sealer find its running calls again. */
export interface ScheduledWorkRow {
  /** Method and parameters, or their SHA-256 in hex. */
  key: string
  miner: number
  number: number
  method: string
  /** JSON array. */
  params: string
  /** UUID of the CallID; null until the worker has answered. */
  call_id: string | null
  /** Session of the worker. */
  worker: string | null
  state: 'started' | 'running' | 'done'
  /** JSON value of the result. */
  result: string | null
  /** JSON CallError. */
  error: string | null
  created_at: number
  updated_at: number
}

export interface WorkerTables {
  worker_calls: WorkerCallRow
  grants: GrantRow
  cache_records: CacheRecordRow
}

/** The sealer is a worker too, for the paths on its machine. */
export interface SealerTables extends WorkerTables {
  storage_paths: StoragePathRow
  declarations: DeclarationRow
  reservations: ReservationRow
  sectors: SectorRow
  sector_events: SectorEventRow
  scheduled_work: ScheduledWorkRow
}
