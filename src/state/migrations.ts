import { type Kysely, type Migration, sql } from 'kysely'

/** Applied in order of their names; a released one is never edited, the next one amends it. */
export type Migrations = Readonly<Record<string, Migration>>

function statements(...texts: string[]): Migration {
  return {
    up: async (db: Kysely<unknown>) => {
      for (const text of texts) await sql.raw(text).execute(db)
    },
  }
}

const workerTables = [
  `create table worker_calls (
    id text primary key, miner integer not null, number integer not null, task text not null,
    return_method text not null, params text not null,
    state text not null check (state in ('running', 'done')),
    result text, created_at integer not null) strict`,
  `create table grants (
    id text primary key, task text not null, miner integer not null, number integer not null,
    file_type integer not null, path_id text not null,
    needed_bytes integer not null check (needed_bytes >= 0),
    reported_bytes integer not null check (reported_bytes >= 0), created_at integer not null) strict`,
  `create table cache_records (
    miner integer not null, number integer not null, path_id text not null, ticket text not null,
    pieces text not null,
    phase text not null check (phase in ('pc1-started', 'pc1', 'pc2-started', 'pc2', 'finalized')),
    boot text not null, updated_at integer not null, primary key (miner, number, path_id)) strict`,
]

const sealerTables = [
  'create table storage_paths (id text primary key, position integer not null, info text not null) strict',
  `create table declarations (
    path_id text not null references storage_paths (id) on delete cascade,
    miner integer not null, number integer not null, file_type integer not null,
    is_primary integer not null check (is_primary in (0, 1)),
    primary key (path_id, miner, number, file_type)) strict, without rowid`,
  `create table reservations (
    id text primary key, owner text not null, task text not null, miner integer not null,
    number integer not null, file_type integer not null, path_id text not null,
    needed_bytes integer not null check (needed_bytes >= 0),
    reported_bytes integer not null check (reported_bytes >= 0),
    on_disk_bytes integer not null check (on_disk_bytes >= 0), created_at integer not null) strict`,
  `create table sectors (
    miner integer not null, number integer not null, state text not null, proof_type integer not null,
    pieces text not null, ticket text, ticket_epoch integer, seed text, seed_epoch integer,
    comm_d text, comm_r text, phase1_output text, commit1_file text, proof text,
    precommit_message text, precommit_epoch integer, commit_message text,
    retries integer not null, tries integer not null, paused text, precommit1_fails integer not null, precommit2_fails integer not null,
    last_error text, keep_unsealed integer not null check (keep_unsealed in (0, 1)),
    finalized integer not null check (finalized in (0, 1)), staging text,
    created_at integer not null, updated_at integer not null, primary key (miner, number)) strict`,
  `create table sector_events (
    id integer primary key autoincrement, miner integer not null, number integer not null,
    at integer not null, kind text not null, message text not null, trace text not null) strict`,
  'create index sector_events_of_sector on sector_events (miner, number, id)',
  `create table scheduled_work (
    key text primary key, miner integer not null, number integer not null, method text not null,
    params text not null, call_id text unique, worker text,
    state text not null check (state in ('started', 'running', 'done')),
    result text, error text, created_at integer not null, updated_at integer not null) strict`,
  'create index scheduled_work_of_sector on scheduled_work (miner, number)',
]

export const WORKER_MIGRATIONS: Migrations = { '0001-worker': statements(...workerTables) }

export const SEALER_MIGRATIONS: Migrations = {
  '0001-worker': statements(...workerTables),
  '0002-sealer': statements(...sealerTables),
}
