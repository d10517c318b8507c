import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { sql } from 'kysely'
import { isSealyardError } from '../../src/base/errors.ts'
import { openSealerState, openWorkerState } from '../../src/state/open.ts'

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-state-'))
  try {
    await run(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

const reservation = {
  id: 'r1',
  owner: 'worker-1',
  task: 'PC1',
  miner: 1000,
  number: 7,
  file_type: 4,
  path_id: 'p1',
  needed_bytes: 486_025_740_416,
  reported_bytes: 484_472_310_988,
  on_disk_bytes: 0,
  created_at: 1,
}

test('what was written is there after opening again', (t) =>
  withDirectory(async (directory) => {
    const file = join(directory, 'state.sqlite')
    const first = await openSealerState(file)
    await first.db.insertInto('reservations').values(reservation).execute()
    await first.close()
    const second = await openSealerState(file)
    t.deepEqual(await second.db.selectFrom('reservations').selectAll().execute(), [reservation])
    await second.close()
  }))

test('the file is in WAL mode with full syncs and foreign keys', (t) =>
  withDirectory(async (directory) => {
    const state = await openSealerState(join(directory, 'state.sqlite'))
    const pragma = async (name: string) =>
      Object.values((await sql.raw(`pragma ${name}`).execute(state.db)).rows[0] as object)[0]
    t.is(await pragma('journal_mode'), 'wal')
    t.is(await pragma('synchronous'), 2)
    t.is(await pragma('foreign_keys'), 1)
    await state.close()
  }))

test('a transaction that fails leaves nothing', (t) =>
  withDirectory(async (directory) => {
    const state = await openSealerState(join(directory, 'state.sqlite'))
    const failing = state.db.transaction().execute(async (trx) => {
      await trx.insertInto('reservations').values(reservation).execute()
      await trx
        .insertInto('reservations')
        .values({ ...reservation, id: 'r2', needed_bytes: -1 })
        .execute()
    })
    await t.throwsAsync(failing, { message: /CHECK/ })
    t.deepEqual(await state.db.selectFrom('reservations').selectAll().execute(), [])
    await state.close()
  }))

test('a worker keeps its own three tables only', (t) =>
  withDirectory(async (directory) => {
    const state = await openWorkerState(join(directory, 'state.sqlite'))
    const tables = (await state.db.introspection.getTables()).map((table) => table.name)
    t.deepEqual(tables.sort(), ['cache_records', 'grants', 'worker_calls'])
    await state.close()
  }))

test('refuses a file that a newer version has written, and says so', (t) =>
  withDirectory(async (directory) => {
    const file = join(directory, 'state.sqlite')
    const newer = await openSealerState(file)
    await sql`insert into kysely_migration (name, timestamp) values ('9999-later', 'now')`.execute(newer.db)
    await newer.close()
    const error = await t.throwsAsync(openSealerState(file), { message: /newer version.*9999-later/ })
    t.true(isSealyardError(error, 'STATE_NEWER'))
  }))

test('refuses a file that is no database, and says what to do', (t) =>
  withDirectory(async (directory) => {
    const file = join(directory, 'state.sqlite')
    await writeFile(file, 'this is not a database, but long enough to be looked at as one '.repeat(40))
    const error = await t.throwsAsync(openSealerState(file), { message: /restore it from a backup/ })
    t.true(isSealyardError(error, 'STATE_UNREADABLE'))
  }))

test('a declaration needs its path, and goes with it', (t) =>
  withDirectory(async (directory) => {
    const { db, close } = await openSealerState(join(directory, 'state.sqlite'))
    const row = { path_id: 'p1', miner: 1000, number: 7, file_type: 2, is_primary: 1 }
    await t.throwsAsync(db.insertInto('declarations').values(row).execute(), { message: /FOREIGN KEY/ })
    await db.insertInto('storage_paths').values({ id: 'p1', position: 0, info: '{}' }).execute()
    await db.insertInto('declarations').values(row).execute()
    await db.deleteFrom('storage_paths').execute()
    t.deepEqual(await db.selectFrom('declarations').selectAll().execute(), [])
    await close()
  }))

test('a full disk is named, not what failed after it', (t) =>
  withDirectory(async (directory) => {
    const file = join(directory, 'state.sqlite')
    const state = await openSealerState(file)
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(state.db)
    const pages = rows[0]?.page_count ?? 0
    await sql.raw(`pragma max_page_count = ${pages}`).execute(state.db)
    const many = Array.from({ length: 100 }, (_, at) => ({ ...reservation, id: `${at} ${'x'.repeat(1000)}` }))
    const insert = state.db.insertInto('reservations').values(many)
    const full = {
      code: 'STATE_FULL',
      message: `no space left where ${file} lies: free some there; nothing was changed`,
    }
    await t.throwsAsync(insert.execute(), full)
    const inTransaction = state.db
      .transaction()
      .execute((trx) => trx.insertInto('reservations').values(many).execute())
    await t.throwsAsync(inTransaction, full)
    t.deepEqual(await state.db.selectFrom('reservations').selectAll().execute(), [])

    await sql.raw(`pragma max_page_count = ${pages + 1000}`).execute(state.db)
    await insert.execute()
    const failing = state.db.transaction().execute(async (trx) => {
      await trx.deleteFrom('reservations').execute()
      throw new Error('changed its mind')
    })
    await t.throwsAsync(failing, { message: 'changed its mind' })
    t.is((await state.db.selectFrom('reservations').selectAll().execute()).length, 100)
    await state.close()
  }))
