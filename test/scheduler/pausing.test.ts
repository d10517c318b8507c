import test from 'ava'
import { fileTypeBits } from '../../src/sectors/file-types.ts'
import { Cluster, quiet, sectorOf, until } from './cluster-at-hand.ts'
import { seal, store } from './decide-tables.ts'

const ONE = sectorOf(1)
const TICKET = 'dGlja2V0'
const CIDS = { Unsealed: { '/': 'baga6ea4seaqao7' }, Sealed: { '/': 'bagboea4b5abcb' } }
const ALL_FILES = fileTypeBits('unsealed', 'sealed', 'cache')

/** Tracked tasks that read a sector's files, as the pipeline asks for them. */
const TASKS = {
  SealPreCommit1: (cluster: Cluster, signal?: AbortSignal) =>
    cluster.tasks.preCommit1(ONE, TICKET, [], signal),
  SealPreCommit2: (cluster: Cluster, signal?: AbortSignal) => cluster.tasks.preCommit2(ONE, 'cGMx', signal),
  SealCommit1: (cluster: Cluster, signal?: AbortSignal) =>
    cluster.tasks.commit1(ONE, TICKET, 'c2VlZA==', [], CIDS, signal),
  SealCommit2: (cluster: Cluster, signal?: AbortSignal) => cluster.tasks.commit2(ONE, 'YzE=', signal),
}
type Method = keyof typeof TASKS

/** A task that runs on a worker, and a caller that is sent away. */
async function paused(t: Parameters<typeof Cluster.start>[0], method: Method) {
  const cluster = await Cluster.start(t, { paths: { seal: seal(), store } })
  const fred = await cluster.connect({ name: 'fred', seal: 'seal', stores: ['store'], session: 'one-run' })
  await cluster.index.StorageDeclareSector('seal', ONE.ID, ALL_FILES, true)
  const pause = new AbortController()
  const asked = TASKS[method](cluster, pause.signal)
  asked.catch(() => undefined)
  const taken = () => fred.takenOf(method)[0]
  await until(() => fred.taken.length > 0, 'the worker has taken something')
  if (taken() === undefined) await fred.finish(fred.taken[0]!)
  await until(() => taken() !== undefined, `${method} is taken`)
  await quiet()
  pause.abort(new Error('sector 1 is paused'))
  await t.throwsAsync(asked, { message: 'sector 1 is paused' })
  return { cluster, fred, call: taken()!, log: [...fred.log] }
}

for (const method of Object.keys(TASKS) as Method[]) {
  test(`${method} that ends while its sector is paused is taken when the sector goes on, and not done again`, async (t) => {
    const { cluster, fred, call, log } = await paused(t, method)
    await fred.finish(call)
    await quiet()
    t.is((await cluster.scheduler.diag(false)).ReturnedWork.length, 1, 'nobody has taken it')
    await t.notThrowsAsync(TASKS[method](cluster))
    t.deepEqual(fred.log, log, 'the worker is asked for nothing')
    t.deepEqual((await cluster.scheduler.diag(false)).ReturnedWork, [])
  })

  test(`${method} of a sector that goes on before it ends is waited for`, async (t) => {
    const { cluster, fred, call, log } = await paused(t, method)
    const again = TASKS[method](cluster)
    await quiet()
    await fred.finish(call)
    await t.notThrowsAsync(again)
    t.deepEqual(fred.log, log)
    t.deepEqual((await cluster.scheduler.diag(false)).ReturnedWork, [])
  })
}

test('a failure that comes while its sector is paused is not kept: the work is done again', async (t) => {
  const { cluster, fred, call } = await paused(t, 'SealCommit2')
  await fred.finish(call, { Code: 0, Message: 'the child died' })
  await quiet()
  const again = TASKS.SealCommit2(cluster)
  await until(() => fred.takenOf('SealCommit2').length === 1, 'C2 is taken')
  await fred.finish(fred.takenOf('SealCommit2')[0]!)
  t.is(await again, 'cHJvb2Y=')
})
