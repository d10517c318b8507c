import test from 'ava'
import { FakeClock, systemClock } from '../../src/base/clock.ts'

test('a fake clock stands still until it is told', async (t) => {
  const clock = new FakeClock(1000)
  let woken = false
  const sleep = clock.sleep(50).then(() => {
    woken = true
  })
  await clock.advance(49)
  t.false(woken)
  t.is(clock.now(), 1049)
  await clock.advance(1)
  t.true(woken)
  await sleep
  t.is(clock.monotonicMs(), 50)
})

test('sleepers wake in order, also those that were put to sleep on the way', async (t) => {
  const clock = new FakeClock()
  const woken: string[] = []
  const nap = async (name: string, ...lengths: number[]) => {
    for (const ms of lengths) {
      await clock.sleep(ms)
      woken.push(`${name}@${clock.monotonicMs()}`)
    }
  }
  const naps = Promise.all([nap('late', 30), nap('twice', 10, 10)])
  await clock.advance(30)
  await naps
  t.deepEqual(woken, ['twice@10', 'twice@20', 'late@30'])
  t.is(clock.sleeping, 0)
})

for (const [name, clock] of [
  ['fake', new FakeClock()],
  ['system', systemClock],
] as const) {
  test(`a sleep on the ${name} clock ends with its signal`, async (t) => {
    const stop = new AbortController()
    const sleep = clock.sleep(60_000, stop.signal)
    stop.abort(new Error('enough'))
    await t.throwsAsync(sleep, { message: 'enough' })
    await t.throwsAsync(clock.sleep(1, stop.signal), { message: 'enough' })
  })
}

test('the system clock moves on', async (t) => {
  const before = systemClock.monotonicMs()
  await systemClock.sleep(5)
  t.true(systemClock.monotonicMs() - before >= 4)
})
