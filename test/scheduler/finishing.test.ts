import test from 'ava'
import { isSealyardError } from '../../src/base/errors.ts'
import { Cluster, quiet, sectorOf, until } from './cluster-at-hand.ts'
import { seal } from './decide-tables.ts'
import { CACHE_AND_SEALED, FOUNDING, TICKET, W01, W04, withoutFetches } from './deployments.ts'

test('finalize of what lies in a store already moves nothing, also with DisallowRemoteFinalize', async (t) => {
  const cluster = await Cluster.start(t, { ...FOUNDING, disallowRemoteFinalize: true })
  const w01 = await cluster.connect(W01)
  await cluster.index.StorageDeclareSector('store', sectorOf(1).ID, CACHE_AND_SEALED, true)
  await cluster.tasks.finalize(sectorOf(1), [])
  t.deepEqual(w01.log, ['FIN 1'])
  await cluster.index.StorageDeclareSector('tmpw01', sectorOf(2).ID, CACHE_AND_SEALED, true)
  await cluster.tasks.finalize(sectorOf(2), [])
  t.deepEqual(cluster.held(2), { store: CACHE_AND_SEALED })
})

test('the unsealed copy moves to the store when ranges of it are kept', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  await cluster.connect(W01)
  await cluster.index.StorageDeclareSector('tmpw01', sectorOf(1).ID, 7, true)
  await cluster.tasks.finalize(sectorOf(1), [])
  t.deepEqual(cluster.held(1), { store: CACHE_AND_SEALED })
})

test('unseal works on the holder and leaves the copy in a store', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  for (const options of [W01, W04]) await cluster.connect(options)
  await cluster.index.StorageDeclareSector('f01005', sectorOf(1).ID, CACHE_AND_SEALED, true)
  await cluster.tasks.unseal(sectorOf(1), TICKET, 'baga')
  t.deepEqual(cluster.held(1), { f01005: 7 })
  t.deepEqual(withoutFetches(cluster.workers[1]?.log ?? []), ['UNS 1', 'GET 1'])
})

test('remove asks every worker, and names what stayed on paths that nobody reaches', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  const w01 = await cluster.connect(W01)
  await cluster.index.StorageDeclareSector('tmpw01', sectorOf(1).ID, 7, true)
  await cluster.tasks.remove(sectorOf(1).ID)
  t.deepEqual(w01.log, ['Remove 1'])
  await cluster.index.StorageDeclareSector('tmpw04', sectorOf(1).ID, 2, true)
  const error = await t.throwsAsync(cluster.tasks.remove(sectorOf(1).ID))
  t.true(isSealyardError(error, 'REMOVE_INCOMPLETE'))
  t.regex(error?.message ?? '', /sealed on tmpw04/)
})

test('PC1 elsewhere removes what an earlier attempt left, and never what it builds on', async (t) => {
  const cluster = await Cluster.start(t, { paths: { 'a-seal': seal(), 'b-seal': seal() } })
  const a = await cluster.connect({ name: 'a', seal: 'a-seal', stores: [], auto: true })
  const b = await cluster.connect({ name: 'b', seal: 'b-seal', stores: [], auto: true })
  await cluster.index.StorageDeclareSector('a-seal', sectorOf(1).ID, 7, true)
  await cluster.index.StorageDeclareSector('b-seal', sectorOf(1).ID, CACHE_AND_SEALED, true)
  await cluster.tasks.preCommit1(sectorOf(1), TICKET, [])
  t.deepEqual([withoutFetches(a.log), withoutFetches(b.log)], [['PC1 1'], ['Remove 1']])
  t.deepEqual(cluster.held(1), { 'a-seal': 7 })
})

test('a worker whose disk hangs does not keep PC1 on another one for ever', async (t) => {
  const cluster = await Cluster.start(t, { paths: { 'a-seal': seal(), 'b-seal': seal() } })
  await cluster.connect({ name: 'a', seal: 'a-seal', stores: [], auto: true })
  const b = await cluster.connect({ name: 'b', seal: 'b-seal', stores: [], auto: true })
  b.hangsOnRemove = true
  await cluster.index.StorageDeclareSector('a-seal', sectorOf(1).ID, 7, true)
  await cluster.index.StorageDeclareSector('b-seal', sectorOf(1).ID, CACHE_AND_SEALED, true)
  const failed = t.throwsAsync(cluster.tasks.preCommit1(sectorOf(1), TICKET, []), {
    code: 'REMOVE_INCOMPLETE',
    message: /b did not answer within 300 s/,
  })
  await until(
    () => cluster.lines.includes('PC1 runs elsewhere now: what an earlier attempt left is removed'),
    'b is asked to remove',
  )
  await cluster.clock.advance(300_000)
  await failed
})

test('a sector whose number lies in a store already is neither written to nor sealed over', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  const w01 = await cluster.connect(W01)
  await cluster.index.StorageDeclareSector('tmpw01', sectorOf(1).ID, 1, true)
  await cluster.index.StorageDeclareSector('store', sectorOf(1).ID, CACHE_AND_SEALED, true)
  for (const step of [
    cluster.tasks.addPiece(sectorOf(1), [], 2032, { kind: 'zeroes' }),
    cluster.tasks.preCommit1(sectorOf(1), TICKET, []),
  ]) {
    const error = await t.throwsAsync(step, { code: 'ALREADY_STORED', message: /store holds sealed, cache/ })
    t.is(isSealyardError(error) ? error.level : null, 'temporary', 'it does not count towards removal')
  }
  t.deepEqual(w01.log, [])
  t.deepEqual(cluster.held(1), { tmpw01: 1, store: CACHE_AND_SEALED })
})

test('a removal that waits for running work lets go of who gives up, and removes nothing then', async (t) => {
  const cluster = await Cluster.start(t, FOUNDING)
  const w01 = await cluster.connect({ ...W01, auto: false })
  await cluster.index.StorageDeclareSector('tmpw01', sectorOf(1).ID, 7, true)
  const release = await cluster.index.hold(sectorOf(1).ID, 0, CACHE_AND_SEALED)
  const stop = new AbortController()
  const removal = cluster.tasks.remove(sectorOf(1).ID, stop.signal)
  await quiet()
  stop.abort(new Error('the sealer stops'))
  await t.throwsAsync(removal, { message: 'the sealer stops' })
  release()
  await quiet()
  t.deepEqual(w01.log, [])
})
