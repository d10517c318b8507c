import test, { type ExecutionContext } from 'ava'
import { type Kysely, sql } from 'kysely'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { ProofError } from '../../src/proofs/errors.ts'
import { ConnectionError, ProtocolError, RpcError } from '../../src/protocol/errors.ts'
import type { WorkerTables } from '../../src/state/tables.ts'
import { storageError } from '../../src/storage/errors.ts'
import { type CallRequest, Calls } from '../../src/worker/calls.ts'
import { SECTOR } from './sector-at-hand.ts'
import { fillUp, ResultTaker, stateAtHand } from './worker-at-hand.ts'

interface CallsAtHand {
  readonly calls: Calls
  readonly sealer: ResultTaker
  readonly clock: FakeClock
  readonly critical: unknown[]
  /** What was told of the state file. */
  readonly troubles: unknown[]
  readonly db: Kysely<WorkerTables>
}

async function open(
  db: Kysely<WorkerTables>,
  sealer = new ResultTaker(),
  clock = new FakeClock(),
): Promise<CallsAtHand> {
  const critical: unknown[] = []
  const troubles: unknown[] = []
  const calls = await Calls.open({
    db,
    returns: sealer.api,
    host: 'wk1',
    clock,
    log: silentLogger,
    onCritical: (error) => critical.push(error),
    onStateChange: (trouble) => troubles.push(trouble),
  })
  return { calls, sealer, clock, critical, troubles, db }
}

const callsAtHand = async (t: ExecutionContext) => open(await stateAtHand(t))

function fetchCall(run: CallRequest['run'], params: unknown[] = [SECTOR, 6]): CallRequest {
  return { sector: SECTOR.ID, task: 'fetch', returns: 'ReturnFetch', params, run }
}

function pc1Call(run: CallRequest['run']): CallRequest {
  return {
    sector: SECTOR.ID,
    task: 'PC1',
    returns: 'ReturnSealPreCommit1',
    params: [SECTOR, 'dGlja2V0', []],
    run,
  }
}

const rows = (db: Kysely<WorkerTables>) => db.selectFrom('worker_calls').selectAll().execute()

/** A task that ends when it is told to. */
function held<T>() {
  let end: (value: T) => void = () => undefined
  const promise = new Promise<T>((resolve) => {
    end = resolve
  })
  return { end, run: () => promise }
}

const refused = (message: string) =>
  new RpcError({ rpcCode: 1, method: 'Filecoin.ReturnFetch', url: 'http://sealer', message })

test('a call is recorded before its CallID is answered, and gone when its result is accepted', async (t) => {
  const { calls, sealer, clock, db } = await callsAtHand(t)
  const task = held<string>()
  const id = await calls.take(pc1Call(task.run))
  t.deepEqual(
    (await rows(db)).map((row) => [row.id, row.task, row.return_method, row.state, row.result]),
    [[id.ID, 'PC1', 'ReturnSealPreCommit1', 'running', null]],
  )
  t.is(calls.running, 1)
  task.end('b3V0')
  await clock.advance(0)
  t.deepEqual(sealer.taken, [{ method: 'ReturnSealPreCommit1', id, value: 'b3V0', error: null }])
  t.deepEqual(await rows(db), [])
})

test('a result is stored before it is handed in, and handed in every 5 s until it is accepted', async (t) => {
  const { calls, sealer, clock, db } = await callsAtHand(t)
  sealer.refuse = () => new ConnectionError({ message: 'the sealer is away' })
  await calls.take(pc1Call(async () => 'b3V0'))
  await clock.advance(0)
  const [row] = await rows(db)
  t.deepEqual([row?.state, row?.result], ['done', '{"value":"b3V0","error":null}'])
  t.is(sealer.attempts, 1)
  await clock.advance(4999)
  t.is(sealer.attempts, 1)
  await clock.advance(3600_000)
  t.is(sealer.attempts, 1 + 720)
  sealer.refuse = null
  await clock.advance(5000)
  t.is(sealer.taken.length, 1)
  t.deepEqual(await rows(db), [])
  await clock.advance(60_000)
  t.is(sealer.taken.length, 1)
})

const NOT_FINAL: [string, Error][] = [
  ['a refused token', new ProtocolError({ code: 'UNAUTHORIZED', level: 'permanent', message: 'HTTP 401' })],
  ['an error of the sealer', refused('database is locked')],
  ['an error that only sounds like it', refused('sector already reported as faulty')],
  ['a bug of the sealer', new TypeError('x is not a function')],
]

for (const [what, error] of NOT_FINAL) {
  test(`${what} does not end the retrying`, async (t) => {
    const { calls, sealer, clock, db } = await callsAtHand(t)
    sealer.refuse = () => error
    await calls.take(fetchCall(async () => undefined))
    await clock.advance(5000)
    t.is(sealer.attempts, 2)
    t.is((await rows(db)).length, 1)
  })
}

const FINAL: [string, Error][] = [
  [
    'our sealer knows no such call',
    new RpcError({
      rpcCode: 1,
      method: 'Filecoin.ReturnFetch',
      url: 'http://sealer',
      message: 'no call waits for this',
      data: { code: 'UNKNOWN_CALL', level: 'permanent' },
    }),
  ],
  [
    'lotus has the result of tracked work',
    refused('result for call seal/v0/precommit/1([…]) already reported'),
  ],
  ['lotus has the result of a simple call', refused('callRes channel already has a response')],
]

for (const [what, error] of FINAL) {
  test(`the retrying ends when ${what}`, async (t) => {
    const { calls, sealer, clock, db } = await callsAtHand(t)
    sealer.refuse = () => error
    await calls.take(fetchCall(async () => undefined))
    await clock.advance(60_000)
    t.is(sealer.attempts, 1)
    t.deepEqual(await rows(db), [])
  })
}

test('after a restart unfinished calls are answered 101 and finished ones are handed in', async (t) => {
  const before = await callsAtHand(t)
  before.sealer.refuse = () => new ConnectionError({ message: 'away' })
  const done = await before.calls.take(pc1Call(async () => 'b3V0'))
  await before.clock.advance(0)
  const unfinished = await before.calls.take(fetchCall(held<void>().run))

  const { sealer, clock, db } = await open(before.db)
  await clock.advance(0)
  t.deepEqual(sealer.taken, [
    { method: 'ReturnSealPreCommit1', id: done, value: 'b3V0', error: null },
    {
      method: 'ReturnFetch',
      id: unfinished,
      value: undefined,
      error: { Code: 101, Message: 'worker [name: wk1] restarted' },
    },
  ])
  t.deepEqual(await rows(db), [])
})

test('a call that is sent again joins the run, and each call gets the result', async (t) => {
  const { calls, sealer, clock } = await callsAtHand(t)
  let runs = 0
  const task = held<void>()
  const run = () => {
    runs += 1
    return task.run()
  }
  const first = await calls.take(fetchCall(run))
  const again = await calls.take(fetchCall(run))
  const other = await calls.take(fetchCall(run, [SECTOR, 1]))
  t.not(first.ID, again.ID)
  t.is(runs, 2)
  t.is(calls.running, 2)
  task.end()
  await clock.advance(0)
  t.deepEqual(new Set(sealer.taken.map(({ id }) => id.ID)), new Set([first.ID, again.ID, other.ID]))
})

const CODES: [string, Error, number][] = [
  ['no space', storageError({ code: 'NO_SPACE', level: 'temporary', message: 'disk full' }), 102],
  ['a temporary failure', storageError({ code: 'BUSY', level: 'temporary', message: 'busy' }), 100],
  ['a permanent failure', new ProofError({ code: 'TASK_FAILED', level: 'permanent', message: 'bad' }), 0],
  ['a sick host', new ProofError({ code: 'NO_PROVER', level: 'critical', message: 'no prover' }), 100],
  ['a failure that is not ours', new Error('what?'), 0],
]

for (const [what, error, code] of CODES) {
  test(`${what} is told with code ${code} and the worker's name`, async (t) => {
    const { calls, sealer, clock } = await callsAtHand(t)
    await calls.take(pc1Call(() => Promise.reject(error)))
    await clock.advance(0)
    t.deepEqual(sealer.taken[0]?.error, {
      Code: code,
      Message: `PC1 of s-t01000-7 [name: wk1]: ${error.message}`,
    })
    t.is(sealer.taken[0]?.value, null)
  })
}

test('a PC2 that needs PC1 again tells the sealer so by its code', async (t) => {
  const { calls, sealer, clock } = await callsAtHand(t)
  const error = new ProofError({ code: 'NOT_RESTARTABLE', level: 'permanent', message: 'PC1 first' })
  await calls.take(pc1Call(() => Promise.reject(error)))
  await clock.advance(0)
  t.like(sealer.taken[0]?.error, { Code: 0, Sealyard: { code: 'NOT_RESTARTABLE' } })
})

test('only a critical failure of the host asks for a pause, not that of one path', async (t) => {
  const { calls, clock, critical } = await callsAtHand(t)
  const failure = (level: 'permanent' | 'critical') =>
    new ProofError({ code: 'TASK_FAILED', level, message: level })
  await calls.take(pc1Call(() => Promise.reject(failure('permanent'))))
  await clock.advance(0)
  const parked = { code: 'PATH_PARKED', level: 'critical', message: 'gone', storagePath: 'path-1' } as const
  await calls.take(pc1Call(() => Promise.reject(storageError(parked))))
  await clock.advance(0)
  t.deepEqual(critical, [])
  await calls.take(pc1Call(() => Promise.reject(failure('critical'))))
  await clock.advance(0)
  t.is(critical.length, 1)
})

test('a stopping worker takes no calls and waits for its tasks until the deadline', async (t) => {
  const { calls, sealer, clock, db } = await callsAtHand(t)
  const quick = held<void>()
  await calls.take(fetchCall(quick.run))
  const closing = calls.close(30_000)
  await t.throwsAsync(calls.take(fetchCall(quick.run)), { code: 'STOPPING' })
  quick.end()
  await closing
  t.is(sealer.taken.length, 1)
  t.deepEqual(await rows(db), [])
  t.is(clock.sleeping, 0)
})

test('at the deadline tasks are stopped; their calls are answered at the next start', async (t) => {
  const { calls, sealer, clock, db } = await callsAtHand(t)
  const id = await calls.take(
    pc1Call(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('killed')))
        }),
    ),
  )
  const closing = calls.close(30_000)
  await clock.advance(29_999)
  t.is(calls.running, 1)
  await clock.advance(1)
  await closing
  t.is(calls.running, 0)
  t.deepEqual(sealer.taken, [])
  t.deepEqual(
    (await rows(db)).map((row) => [row.id, row.state]),
    [[id.ID, 'running']],
  )
  const next = await open(db)
  await next.clock.advance(0)
  t.is(next.sealer.taken[0]?.error?.Code, 101)
})

test('closing does not wait for a sealer that is away; the result stays for the next start', async (t) => {
  const { calls, sealer, clock, db } = await callsAtHand(t)
  sealer.refuse = () => new ConnectionError({ message: 'away' })
  await calls.take(pc1Call(async () => 'b3V0'))
  await clock.advance(0)
  await calls.close(30_000)
  t.is((await rows(db))[0]?.state, 'done')
})

test('long parameters are recorded by their hash', async (t) => {
  const { calls, db } = await callsAtHand(t)
  await calls.take(fetchCall(held<void>().run, [SECTOR, 'x'.repeat(1000)]))
  const params = JSON.parse((await rows(db))[0]?.params ?? '') as string[]
  t.regex(params[1] ?? '', /^sha256:[0-9a-f]{64}$/)
})

test('quiet comes when nothing runs, and at once when nothing ran', async (t) => {
  const { calls, clock } = await callsAtHand(t)
  await calls.quiet()
  const task = held<void>()
  await calls.take(fetchCall(task.run))
  let isQuiet = false
  void calls.quiet().then(() => {
    isQuiet = true
  })
  await clock.advance(0)
  t.false(isQuiet)
  task.end()
  await clock.advance(0)
  t.true(isQuiet)
})

test('a result that a full disk does not take is handed in once there is space', async (t) => {
  const { calls, sealer, clock, critical, troubles, db } = await callsAtHand(t)
  const task = held<string>()
  const id = await calls.take(pc1Call(task.run))
  const pages = await fillUp(db)
  task.end('x'.repeat(200_000))
  await clock.advance(60_000)
  t.deepEqual([troubles.length, critical.length, sealer.taken.length], [1, 0, 0])
  t.like(troubles[0], { code: 'STATE_FULL' })

  await sql.raw(`pragma max_page_count = ${pages + 1000}`).execute(db)
  await clock.advance(10_000)
  t.deepEqual(troubles[1], null)
  t.deepEqual(
    sealer.taken.map((each) => each.id),
    [id],
  )
  t.deepEqual(await rows(db), [])
})

test('a worker that stops while its disk is full ends; the next one answers the call', async (t) => {
  const { calls, clock, db } = await callsAtHand(t)
  const task = held<string>()
  const id = await calls.take(pc1Call(task.run))
  const pages = await fillUp(db)
  task.end('x'.repeat(200_000))
  await clock.advance(10_000)
  await calls.close(0)
  t.is(clock.sleeping, 0)
  await sql.raw(`pragma max_page_count = ${pages + 1000}`).execute(db)
  const next = await open(db)
  await next.clock.advance(0)
  t.deepEqual(
    next.sealer.taken.map((each) => [each.id, each.error?.Code]),
    [[id, 101]],
  )
})
