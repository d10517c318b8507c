import { DatabaseSync } from '@photostructure/sqlite'
import type { SqliteDatabase, SqliteStatement } from 'kysely'

type Prepared = ReturnType<InstanceType<typeof DatabaseSync>['prepare']>

/** How long a statement waits for another process (a backup, a reader with a lock) to let go. */
const BUSY_TIMEOUT_MS = 5000

/**
 * The engine in the shape that Kysely's SQLite dialect expects (better-sqlite3's).
 * FULL, not NORMAL: with NORMAL a power cut loses commits that were acknowledged.
 */
export function openSqlite(file: string): SqliteDatabase {
  const database = new DatabaseSync(file)
  try {
    database.exec(`
      pragma journal_mode = wal;
      pragma synchronous = full;
      pragma busy_timeout = ${BUSY_TIMEOUT_MS};
      pragma foreign_keys = on;
    `)
  } catch (error) {
    database.close()
    throw error
  }
  return {
    close: () => database.close(),
    prepare: (text) => statement(database.prepare(text)),
  }
}

function statement(prepared: Prepared): SqliteStatement {
  return {
    reader: prepared.columns().length > 0,
    all: (values) => prepared.all(...(values as never[])),
    run: (values) => prepared.run(...(values as never[])),
    iterate: (values) => prepared.iterate(...(values as never[])),
  }
}
