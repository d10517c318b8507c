import { readFile } from 'node:fs/promises'
import test from 'ava'
import { skipUnless } from '../skip.ts'
import { alarms, CallPlan, drawPlan } from './call-plan.ts'
import { ClusterToKill } from './cluster-to-kill.ts'
import { faultsProgram } from './faults-program.ts'

/** Six of each kind; `npm run torture -- syscalls` goes on with as many as are wanted. */
const POINTS = 48

test('a worker whose system calls fail while it moves sectors to the store loses none of them', async (t) => {
  t.timeout(600_000)
  const found = await faultsProgram()
  const reason = 'reason' in found ? found.reason : ''
  if (skipUnless(t, 'program' in found, reason) || !('program' in found)) return
  const cluster = await ClusterToKill.start(['w01'])
  t.teardown(async () => {
    await cluster.stop()
    if (!t.passed)
      t.log((await readFile(cluster.worker('w01').log, 'utf8')).split('\n').slice(-60).join('\n'))
    await cluster.remove()
  })
  const calls = new CallPlan(cluster, 'w01', found.program, drawPlan(POINTS, 11))
  await calls.run()
  t.log(await calls.line())
  const met = await calls.met()
  t.is(met.length, POINTS)
  t.true(new Set(met.map(({ call }) => call)).size > 8, 'the faults met only few kinds of calls')
  t.deepEqual(await alarms(cluster.worker('w01')), [])
})
