import { join } from 'node:path'
import test from 'ava'
import { openWorkerState } from '../../src/state/open.ts'
import { ClusterToKill, eventually } from './cluster-to-kill.ts'

const LIMIT_MS = 60_000

test('TestRestartWorker: the caller of a worker that died in AP hears of it, and no call stays open', async (t) => {
  t.timeout(300_000)
  const cluster = await ClusterToKill.start(['w01'])
  t.teardown(async () => {
    await cluster.stop()
    await cluster.remove()
  })
  const api = await cluster.api()
  const worker = cluster.worker('w01')
  const sessionsOf = async () =>
    Object.entries(await api.WorkerStats())
      .filter(([, stats]) => stats.Info.Hostname === 'w01' && stats.Enabled)
      .map(([session]) => session)
  await worker.kill()
  worker.start('before:task.files-synced/AP')
  await worker.healthy()
  const [first] = await sessionsOf()
  const { Number: number } = await api.PledgeSector()
  t.is(await worker.died, 'SIGKILL', 'it dies when it has made the piece and has not said so')
  await eventually('it is gone from the stats', LIMIT_MS, async () => (await sessionsOf()).length === 0)

  worker.start()
  await eventually('its caller hears of it', LIMIT_MS, async () => {
    const { Log } = await api.SectorsStatus(number, false)
    return Log.some(({ Kind, Message }) => Kind === 'error' && /worker \[name: w01\] restarted/.test(Message))
  })
  await eventually('the sector is sealed', LIMIT_MS, async () => {
    return (await api.SectorsStatus(number, false)).State === 'Proving'
  })
  const sessions = await sessionsOf()
  t.is(sessions.length, 1)
  t.not(sessions[0], first)
  t.deepEqual(await api.WorkerJobs(), {})
  const status = await api.SectorsStatus(number, false)
  t.is(status.Log.filter(({ Kind }) => Kind === 'AP').length, 1, 'its result was applied once')

  await worker.kill()
  const state = await openWorkerState(join(worker.node.repo, 'state.sqlite'))
  t.teardown(() => state.close())
  t.deepEqual(await state.db.selectFrom('worker_calls').selectAll().execute(), [])
})
