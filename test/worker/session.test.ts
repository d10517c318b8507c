import test from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { SealerApi } from '../../src/protocol/apis.ts'
import type { SealerConnection } from '../../src/protocol/connections.ts'
import { ConnectionError, ProtocolError } from '../../src/protocol/errors.ts'
import { SealerSession } from '../../src/worker/session.ts'

/** A sealer that can go away, come back as another run, and refuse. */
class ScriptedSealer {
  session = 'run-1'
  apiVersion = 66816
  isAway = false
  refusal: Error | null = null
  readonly events: string[] = []
  dials = 0
  open = 0

  readonly dial = async (): Promise<SealerConnection> => {
    this.dials += 1
    this.#mustAnswer()
    this.open += 1
    const number = this.dials
    return {
      api: this.#api(number),
      info: null,
      close: () => {
        this.open -= 1
      },
    }
  }

  #api(connection: number): SealerApi {
    const answer =
      <T>(value: () => T) =>
      async () => {
        this.#mustAnswer()
        return value()
      }
    const api: Partial<SealerApi> = {
      Version: answer(() => ({ Version: '1.2.3', APIVersion: this.apiVersion, BlockDelay: 30 })),
      Session: answer(() => this.session),
      ActorAddress: answer(() => `over connection ${connection}`),
      WorkerConnect: async (url) => {
        this.#mustAnswer()
        if (this.refusal !== null) throw this.refusal
        this.events.push(`connect ${url}`)
      },
    }
    return api as SealerApi
  }

  #mustAnswer(): void {
    if (this.isAway) throw new ConnectionError({ message: 'connection refused' })
  }
}

function setUp() {
  const sealer = new ScriptedSealer()
  const clock = new FakeClock()
  const options = { dial: sealer.dial, clock, log: silentLogger }
  const introduction = {
    url: 'http://10.0.0.7:3456',
    introduceAgain: async () => void sealer.events.push('introduce'),
  }
  return { sealer, clock, options, introduction }
}

const CONNECT = 'connect http://10.0.0.7:3456/rpc/v0'

test('it offers itself once and then only asks for the session', async (t) => {
  const { sealer, clock, options, introduction } = setUp()
  const session = await SealerSession.connect(options)
  t.teardown(() => session.close())
  await session.register(introduction)
  await clock.advance(60_000)
  t.deepEqual(sealer.events, [CONNECT])
  t.true(session.isRegistered)
  t.is(sealer.dials, 1)
})

test('a sealer that is another run is told everything and offered the worker at once', async (t) => {
  const { sealer, clock, options, introduction } = setUp()
  const session = await SealerSession.connect(options)
  t.teardown(() => session.close())
  await session.register(introduction)
  sealer.session = 'run-2'
  await clock.advance(10_000)
  t.deepEqual(sealer.events, [CONNECT, 'introduce', CONNECT])
  await clock.advance(60_000)
  t.is(sealer.events.length, 3)
  t.is(sealer.open, 1, 'the old connection is closed')
})

test('a sealer that was away is registered with again, also when it is the same run', async (t) => {
  const { sealer, clock, options, introduction } = setUp()
  const session = await SealerSession.connect(options)
  t.teardown(() => session.close())
  await session.register(introduction)
  sealer.isAway = true
  await clock.advance(10_000)
  t.false(session.isRegistered)
  await t.throwsAsync(session.sealer().ActorAddress(), { code: 'CONNECTION' })
  await clock.advance(60_000)
  const tries = sealer.dials
  t.true(tries >= 6 && tries <= 12, `${tries} dials in a minute`)
  sealer.isAway = false
  await clock.advance(10_000)
  t.deepEqual(sealer.events, [CONNECT, 'introduce', CONNECT])
  t.is(await session.sealer().ActorAddress(), `over connection ${sealer.dials}`)
})

test('a sealer that comes back with another version is left alone until it fits', async (t) => {
  const { sealer, clock, options, introduction } = setUp()
  const session = await SealerSession.connect(options)
  t.teardown(() => session.close())
  await session.register(introduction)
  sealer.session = 'run-2'
  sealer.apiVersion = 66560
  await clock.advance(60_000)
  t.false(session.isRegistered)
  t.deepEqual(sealer.events, [CONNECT])
  sealer.apiVersion = 66816
  await clock.advance(10_000)
  t.true(session.isRegistered)
})

test('at the start it waits for the sealer', async (t) => {
  const { sealer, clock, options } = setUp()
  sealer.isAway = true
  const connecting = SealerSession.connect(options)
  await clock.advance(30_000)
  t.true(sealer.dials > 3)
  sealer.isAway = false
  await clock.advance(10_000)
  ;(await connecting).close()
})

test('waiting at the start can be interrupted', async (t) => {
  const { sealer, clock, options } = setUp()
  sealer.isAway = true
  const stop = new AbortController()
  const connecting = SealerSession.connect(options, stop.signal)
  await clock.advance(1500)
  stop.abort(new Error('interrupted'))
  await t.throwsAsync(connecting, { message: 'interrupted' })
})

test('a version that does not fit ends the start with both numbers', async (t) => {
  const { sealer, options } = setUp()
  sealer.apiVersion = 67072
  const error = await t.throwsAsync(SealerSession.connect(options), { code: 'SEALER_VERSION' })
  t.regex(error?.message ?? '', /1\.2\.3.*1\.6\.0.*1\.5\.0/)
  t.is(sealer.open, 0)
})

test('a refused token is not waited out', async (t) => {
  const { options } = setUp()
  const refused = new ProtocolError({ code: 'UNAUTHORIZED', level: 'permanent', message: 'HTTP 401' })
  await t.throwsAsync(SealerSession.connect({ ...options, dial: () => Promise.reject(refused) }), {
    code: 'UNAUTHORIZED',
  })
})

test('a first registration that is refused for good fails; one that may work later is tried again', async (t) => {
  const { sealer, clock, options, introduction } = setUp()
  const session = await SealerSession.connect(options)
  t.teardown(() => session.close())
  sealer.refusal = new ProtocolError({ code: 'WORKER_VERSION', level: 'permanent', message: 'too old' })
  await t.throwsAsync(session.register(introduction), { code: 'WORKER_VERSION' })
  sealer.refusal = new ConnectionError({ message: 'starting' })
  const registering = session.register(introduction)
  await clock.advance(5000)
  sealer.refusal = null
  await clock.advance(10_000)
  await registering
  t.deepEqual(sealer.events, [CONNECT])
})

test('after close nothing is asked any more', async (t) => {
  const { sealer, clock, options, introduction } = setUp()
  const session = await SealerSession.connect(options)
  await session.register(introduction)
  session.close()
  sealer.session = 'run-2'
  await clock.advance(60_000)
  t.deepEqual(sealer.events, [CONNECT])
  t.is(sealer.open, 0)
  t.is(clock.sleeping, 0)
})
