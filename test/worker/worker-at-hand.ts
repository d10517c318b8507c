import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Kysely, sql } from 'kysely'
import { FakeClock } from '../../src/base/clock.ts'
import { Log, silentLogger } from '../../src/base/log.ts'
import type { ReturnApi } from '../../src/protocol/apis.ts'
import { shortName } from '../../src/protocol/method.ts'
import { returnMethods } from '../../src/protocol/sealer-methods.ts'
import type { CallError, CallId } from '../../src/protocol/types.ts'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import { openWorkerState } from '../../src/state/open.ts'
import type { WorkerTables } from '../../src/state/tables.ts'
import { CacheRecords } from '../../src/storage/cache-records.ts'
import type { TaskTools } from '../../src/worker/task-tools.ts'
import { FileWritingExecutor } from './file-writing-executor.ts'
import { OnePathStorage } from './one-path-storage.ts'
import { type Events, PROOF } from './sector-at-hand.ts'

export interface TasksAtHand {
  readonly storage: OnePathStorage
  readonly executor: FileWritingExecutor
  readonly tools: TaskTools
  readonly events: Events
}

/** What tasks need: one path in a real directory, records in a real state file. */
export async function tasksAtHand(t: ExecutionContext): Promise<TasksAtHand> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-worker-'))
  const state = await openWorkerState(join(directory, 'state.sqlite'))
  t.teardown(async () => {
    await state.close()
    await rm(directory, { recursive: true })
  })
  const events: Events = []
  const storage = new OnePathStorage(directory, new CacheRecords(state.db, new FakeClock()), events)
  const executor = new FileWritingExecutor(events)
  const tools: TaskTools = {
    storage: storage.asNodeStorage(),
    executor: executor.asExecutor(),
    readers: {
      receive: async (reader, target) => {
        events.push(`receive ${reader.Type}`)
        await writeFile(target, 'bytes of a piece')
        return { bytes: 16 }
      },
    },
    scratch: directory,
    signal: new AbortController().signal,
    log: silentLogger,
  }
  return { storage, executor, tools, events }
}

/** Lays the unsealed file of the sector down. */
export async function layUnsealed(storage: OnePathStorage): Promise<void> {
  await mkdir(join(storage.directory, 'unsealed'), { recursive: true })
  await writeFile(storage.file('unsealed'), Buffer.alloc(PROOF.sectorSize))
}

/** A cache (and a sealed file) as another node would have sent it: complete for a phase, without a record. */
export async function layForeignCache(
  storage: OnePathStorage,
  phase: 'pc1' | 'pc2' | 'finalized',
): Promise<void> {
  await mkdir(storage.file('cache'), { recursive: true })
  for (const [name, bytes] of cacheFileBytes(PROOF, phase)) {
    await writeFile(join(storage.file('cache'), name), Buffer.alloc(bytes))
  }
  await mkdir(join(storage.directory, 'sealed'), { recursive: true })
  await writeFile(storage.file('sealed'), Buffer.alloc(PROOF.sectorSize))
}

export interface Returned {
  readonly method: string
  readonly id: CallId
  readonly value: unknown
  readonly error: CallError
}

/** A sealer that takes results; `refuse` lets it fail. */
export class ResultTaker {
  readonly taken: Returned[] = []
  attempts = 0
  refuse: (() => Error | null) | null = null

  readonly api = Object.fromEntries(
    Object.entries(returnMethods).map(([name, row]) => [
      shortName(name),
      async (...params: unknown[]) => this.#take(shortName(name), row.params.length, params),
    ]),
  ) as unknown as ReturnApi

  #take(method: string, count: number, params: unknown[]): void {
    this.attempts += 1
    const failure = this.refuse?.() ?? null
    if (failure !== null) throw failure
    if (params.length !== count) throw new Error(`${method} takes ${count} parameters, not ${params.length}`)
    this.taken.push({
      method,
      id: params[0] as CallId,
      value: count === 3 ? params[1] : undefined,
      error: params.at(-1) as CallError,
    })
  }
}

/** A worker's state file in a directory of its own. */
export async function stateAtHand(t: ExecutionContext): Promise<Kysely<WorkerTables>> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-worker-'))
  const state = await openWorkerState(join(directory, 'state.sqlite'))
  t.teardown(async () => {
    await state.close()
    await rm(directory, { recursive: true })
  })
  return state.db
}

/** Lets the state file grow no more, as on a full disk. @returns how many pages it has */
export async function fillUp(db: Kysely<WorkerTables>): Promise<number> {
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(db)
  const pages = rows[0]?.page_count ?? 0
  await sql.raw(`pragma max_page_count = ${pages}`).execute(db)
  return pages
}

export function silentLog(): Log {
  return new Log({ format: 'json', level: 'error', write: () => undefined })
}
