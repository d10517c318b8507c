import { DatabaseSync } from '@photostructure/sqlite'
import type { SqliteDatabase, SqliteStatement } from 'kysely'
import { describeError } from '../base/errors.ts'
import { StateError } from './errors.ts'

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
    worded(file, () =>
      database.exec(`
      pragma journal_mode = wal;
      pragma synchronous = full;
      pragma busy_timeout = ${BUSY_TIMEOUT_MS};
      pragma foreign_keys = on;
    `),
    )
  } catch (error) {
    database.close()
    throw error
  }
  return {
    close: () => database.close(),
    prepare: (text) => {
      // A full disk ends the transaction by itself; a rollback after that fails, and its error would hide the cause.
      if (text === 'rollback' && !database.isTransaction) return NOTHING
      return worded(file, () => statement(file, database.prepare(text)))
    },
  }
}

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
}

function statement(file: string, prepared: Prepared): SqliteStatement {
  return {
    reader: prepared.columns().length > 0,
    all: (values) => worded(file, () => prepared.all(...(values as never[]))),
    run: (values) => worded(file, () => prepared.run(...(values as never[]))),
    iterate: (values) => worded(file, () => prepared.iterate(...(values as never[]))),
  }
}

/** SQLITE_IOERR and SQLITE_FULL; the bits above the lowest eight only say where. */
const IO_ERROR = 10
const FULL = 13

/** Does something with the state file; what its disk refuses is told in words, and with the file's name. */
function worded<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const primary = Number((cause as { errcode?: unknown }).errcode) & 0xff
    if (primary === FULL) {
      throw new StateError({
        code: 'STATE_FULL',
        level: 'temporary',
        message: `no space left where ${file} lies: free some there; nothing was changed`,
        cause,
      })
    }
    if (primary !== IO_ERROR) throw cause
    throw new StateError({
      code: 'STATE_IO',
      level: 'temporary',
      message: `the disk below ${file} fails (${describeError(cause)}): is it full, or broken? Nothing was changed`,
      cause,
    })
  }
}
