import { spawnSync } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { type ChildOptions, runChild } from '../../src/proofs/prover-child.ts'
import { TOP } from '../source-files.ts'
import { temporary } from './sector-at-hand.ts'

const READY = `say({ ready: { prover: 'scripted' } })`
const OUTPUT = `say({ id, output: { done: true } })`

/** A child that plays what a real one rarely does. `script` runs for each line in; `id` is that line's. */
async function scripted(t: ExecutionContext, script: string, more: Partial<ChildOptions> = {}) {
  const program = `
    const say = (line) => process.stdout.write(JSON.stringify(line) + '\\n')
    ${READY}
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id } = JSON.parse(line)
      ${script}
    })
  `
  return child(t, program, more)
}

async function child(t: ExecutionContext, program: string, more: Partial<ChildOptions> = {}) {
  return runChild({
    command: { file: process.execPath, args: ['-e', program] },
    environment: process.env,
    directory: await temporary(t),
    task: { name: 'pre-commit-1' },
    sector: 's-t01000-7',
    log: silentLogger,
    clock: new FakeClock(),
    ...more,
  })
}

test('an answer is what the task gives', async (t) => {
  t.deepEqual(await scripted(t, OUTPUT), { done: true })
})

test('progress is passed on, a flood of it is not', async (t) => {
  const heard: string[] = []
  const flood = `for (let at = 0; at < 5000; at++) say({ id, progress: { message: 'layer ' + at } })`
  await scripted(t, `${flood}; ${OUTPUT}`, { onProgress: (message) => heard.push(message) })
  t.is(heard[0], 'layer 0')
  t.is(heard.length, 20, 'no more in a second')
})

test('a child that hangs is ended by the signal', async (t) => {
  const stop = new AbortController()
  const hang = `say({ id, progress: { message: 'working' } }); setInterval(() => {}, 1000)`
  const options = { signal: stop.signal, onProgress: () => stop.abort() }
  await t.throwsAsync(scripted(t, hang, options), { code: 'TASK_ABORTED' })
  await t.throwsAsync(scripted(t, hang, { signal: AbortSignal.abort() }), { code: 'TASK_ABORTED' })
})

test('a child that never gets ready is given up', async (t) => {
  const clock = new FakeClock()
  const mute = child(t, 'setInterval(() => {}, 1000)', { clock })
  const given = t.throwsAsync(mute, { code: 'PROVER_PROTOCOL', message: /not ready after 60 s/ })
  while (clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(60_000)
  await given
})

test('a child that does not end after its answer is ended, and the answer holds', async (t) => {
  const clock = new FakeClock()
  const onProgress = () => void soon().then(() => clock.advance(10_000))
  // Two sleeps, for being ready and for the end: the second begins with the answer.
  const soon = async () => {
    while (clock.sleeping < 2) await new Promise((resolve) => setImmediate(resolve))
  }
  const stay = `say({ id, progress: { message: 'working' } }); ${OUTPUT}; setInterval(() => {}, 1000)`
  t.deepEqual(await scripted(t, stay, { clock, onProgress }), { done: true })
})

test('dying in the middle of a line is a death, with last words', async (t) => {
  const die = `process.stderr.write('no more memory\\n'); process.stdout.write('{"id":"1","outp', () => process.exit(3))`
  const error = await t.throwsAsync(scripted(t, die), { code: 'PROVER_DIED' })
  t.is(
    error?.message,
    'the prover ended with status 3 during pre-commit-1 of s-t01000-7; its last words: no more memory',
  )
})

test('a child that is killed says by what', async (t) => {
  const error = await t.throwsAsync(scripted(t, `process.kill(process.pid, 'SIGKILL')`), {
    code: 'PROVER_DIED',
  })
  t.regex(error?.message ?? '', /killed by SIGKILL \(the kernel does this when memory runs out\)/)
})

for (const [title, script] of [
  ['two answers', `${OUTPUT}; ${OUTPUT}`],
  ['an answer to another task', `say({ id: '2', output: {} })`],
  ['getting ready twice', READY],
  ['a line that is no JSON', `process.stdout.write('hello\\n')`],
  ['a line without an end', `process.stdout.write('x'.repeat(5 * 2 ** 20)); setInterval(() => {}, 1000)`],
] as const) {
  test(`${title}: the child is not believed`, async (t) => {
    await t.throwsAsync(scripted(t, script), { code: 'PROVER_PROTOCOL' })
  })
}

test('errors keep their kind, and say on which sector', async (t) => {
  const fail = (kind: string) => scripted(t, `say({ id, error: { kind: '${kind}', message: 'so it is' } })`)
  const full = await t.throwsAsync(fail('no-space'), { code: 'NO_SPACE' })
  t.like(full, { level: 'temporary', sector: 's-t01000-7', message: 'pre-commit-1 of s-t01000-7: so it is' })
  t.like(await t.throwsAsync(fail('bad-sector'), { code: 'BAD_SECTOR' }), { level: 'permanent' })
  await t.throwsAsync(fail('a-new-word'), { code: 'PROVER_PROTOCOL', message: /a-new-word/ })
})

test('a panic is a bug, with its text', async (t) => {
  const panic = scripted(
    t,
    `say({ id, panic: 'assertion failed' }); process.exitCode = 70; process.stdin.destroy()`,
  )
  await t.throwsAsync(panic, { code: 'PROVER_PANICKED', message: /assertion failed/ })
})

test('a command that is not there pauses the host', async (t) => {
  const missing = child(t, '', { command: { file: '/does/not/exist', args: [] } })
  t.like(await t.throwsAsync(missing, { code: 'PROVER_MISSING' }), { level: 'critical' })
})

test('a host that has no more files to give fails the task for now, and not the daemon', (t) => {
  const module = new URL('../../src/proofs/prover-child.ts', import.meta.url).href
  const program = `
    const { openSync } = await import('node:fs')
    const { runChild } = await import('${module}')
    const { systemClock } = await import('${new URL('../../src/base/clock.ts', import.meta.url).href}')
    const { silentLogger } = await import('${new URL('../../src/base/log.ts', import.meta.url).href}')
    try { for (;;) openSync('/dev/null') } catch (error) { if (error.code !== 'EMFILE') throw error }
    const options = { command: { file: process.execPath, args: [] }, environment: {}, directory: '/', task: { name: 'x' } }
    runChild({ ...options, sector: null, log: silentLogger, clock: systemClock }).catch((error) => {
      console.log(error.code, error.level, error.message)
    })
  `
  const shell = 'ulimit -n 256; exec "$0" --import tsx --input-type=module -e "$1"'
  const { stdout, stderr } = spawnSync('sh', ['-c', shell, process.execPath, program], {
    cwd: TOP,
    encoding: 'utf8',
  })
  t.regex(stdout, /^IO temporary the prover cannot be started now \(EMFILE\)/, stderr)
})
