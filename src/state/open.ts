import { Kysely, Migrator, SqliteDialect, sql } from 'kysely'
import { describeError } from '../base/errors.ts'
import { StateError } from './errors.ts'
import { type Migrations, SEALER_MIGRATIONS, WORKER_MIGRATIONS } from './migrations.ts'
import { openSqlite } from './sqlite.ts'
import type { SealerTables, WorkerTables } from './tables.ts'

/** An open state file. One process writes it: the repo's lock keeps a second one away. */
export interface State<Tables> {
  readonly db: Kysely<Tables>
  readonly close: () => Promise<void>
}

/**
 * Opens the sealer's `state.sqlite`, made or brought up to date as needed.
 * @throws StateError STATE_NEWER when a newer version has written it, STATE_UNREADABLE when it cannot be opened
 */
export function openSealerState(file: string): Promise<State<SealerTables>> {
  return openState<SealerTables>(file, SEALER_MIGRATIONS)
}

/** Opens a worker's `state.sqlite`; fails as {@link openSealerState} does. */
export function openWorkerState(file: string): Promise<State<WorkerTables>> {
  return openState<WorkerTables>(file, WORKER_MIGRATIONS)
}

async function openState<Tables>(file: string, migrations: Migrations): Promise<State<Tables>> {
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: async () => openSqlite(file) }) })
  try {
    await refuseNewer(db, file, migrations)
    await migrate(db, migrations)
  } catch (error) {
    await db.destroy()
    if (error instanceof StateError) throw error
    throw new StateError({
      code: 'STATE_UNREADABLE',
      level: 'critical',
      message: `cannot open the state file ${file}: ${describeError(error)}; restore it from a backup, or move it away to start anew`,
      cause: error,
    })
  }
  return { db, close: () => db.destroy() }
}

/** A downgrade must not write rows that the newer version has given another meaning. */
async function refuseNewer<Tables>(db: Kysely<Tables>, file: string, migrations: Migrations): Promise<void> {
  const { rows: tables } = await sql`select 1 from sqlite_master where name = 'kysely_migration'`.execute(db)
  if (tables.length === 0) return
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
  const unknown = rows.map((row) => row.name).filter((name) => !(name in migrations))
  if (unknown.length === 0) return
  throw new StateError({
    code: 'STATE_NEWER',
    level: 'critical',
    message: `the state file ${file} was written by a newer version (it has '${unknown.join("', '")}'); run that version, or restore the backup made before the upgrade`,
  })
}

async function migrate<Tables>(db: Kysely<Tables>, migrations: Migrations): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}
