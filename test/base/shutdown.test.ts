import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { Shutdown } from '../../src/base/shutdown.ts'

function shutdownWith(clock: FakeClock, deadlineMs = 1000) {
  return new Shutdown({ clock, log: silentLogger, deadlineMs })
}

test('stops the last part first, and only once', async (t) => {
  const order: string[] = []
  const shutdown = shutdownWith(new FakeClock())
  for (const name of ['state', 'scheduler', 'api']) shutdown.add(name, () => void order.push(name))
  const [first, second] = await Promise.all([shutdown.stop('test'), shutdown.stop('again')])
  t.deepEqual(order, ['api', 'scheduler', 'state'])
  t.deepEqual(first, { stopped: ['api', 'scheduler', 'state'], unfinished: [] })
  t.is(first, second)
  t.true(shutdown.signal.aborted)
  t.is(await shutdown.finished(), first)
})

test('a part that fails does not keep the others from stopping', async (t) => {
  const shutdown = shutdownWith(new FakeClock())
  let stateStopped = false
  shutdown.add('state', () => {
    stateStopped = true
  })
  shutdown.add('api', () => Promise.reject(new Error('stuck')))
  t.deepEqual(await shutdown.stop('test'), { stopped: ['state'], unfinished: ['api'] })
  t.true(stateStopped)
})

test('a part that hangs is told at the deadline, then left behind', async (t) => {
  const clock = new FakeClock()
  const shutdown = shutdownWith(clock, 1000)
  let told = false
  shutdown.add('state', () => undefined)
  shutdown.add('api', (deadline) => {
    deadline.addEventListener('abort', () => {
      told = true
    })
    return new Promise(() => undefined)
  })
  const report = shutdown.stop('test')
  await clock.advance(999)
  t.false(told)
  await clock.advance(1)
  t.true(told)
  await clock.advance(1000)
  t.deepEqual(await report, { stopped: ['state'], unfinished: ['api'] })
})

const CHILD = `
  import { Shutdown } from ${JSON.stringify(new URL('../../src/base/shutdown.ts', import.meta.url).href)}
  import { systemClock } from ${JSON.stringify(new URL('../../src/base/clock.ts', import.meta.url).href)}
  import { silentLogger } from ${JSON.stringify(new URL('../../src/base/log.ts', import.meta.url).href)}
  const shutdown = new Shutdown({ clock: systemClock, log: silentLogger, deadlineMs: 60000 })
  shutdown.add('quick', () => console.log('quick stopped'))
  if (process.env.HANGS) shutdown.add('slow', () => { console.log('slow asked'); return new Promise(() => {}) })
  shutdown.listen()
  const up = setInterval(() => {}, 1000)
  shutdown.finished().then(() => clearInterval(up))
  console.log('ready')
`

function daemon(env: Record<string, string>) {
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', CHILD], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const says = async (text: string) => {
    while (!output.includes(text)) await once(child.stdout, 'data')
  }
  return { child, says }
}

test('one signal stops in order and the process ends with 0', async (t) => {
  const { child, says } = daemon({})
  await says('ready')
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  await says('quick stopped')
  t.is(code, 0)
})

test('a second signal ends the process at once', async (t) => {
  const { child, says } = daemon({ HANGS: '1' })
  await says('ready')
  child.kill('SIGINT')
  await says('slow asked')
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  t.is(code, 130)
})
