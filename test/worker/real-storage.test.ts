import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { openExecutor } from '../../src/proofs/open-executor.ts'
import type { CallId, PieceInfo, SectorCids } from '../../src/protocol/types.ts'
import { cacheFileBytes } from '../../src/sectors/cache-file-bytes.ts'
import { fileTypeBits } from '../../src/sectors/file-types.ts'
import { sectorName } from '../../src/sectors/sector-id.ts'
import { STANDING_TASKS } from '../../src/sectors/task-types.ts'
import { Worker } from '../../src/worker/worker.ts'
import { skipUnless } from '../skip.ts'
import { TOP } from '../source-files.ts'
import { ClusterAtHand } from '../storage/cluster-at-hand.ts'
import { PROOF, SECTOR, SEED, TICKET } from './sector-at-hand.ts'
import { ResultTaker, silentLog, stateAtHand } from './worker-at-hand.ts'

const NO_PROVER = 'the prover has not been built (npm run build)'

test('a worker seals a sector on its own paths and moves it to the store; nothing stays behind', async (t) => {
  if (skipUnless(t, existsSync(join(TOP, 'build/sealyard-prover')), NO_PROVER)) return

  const cluster = await ClusterAtHand.make(t)
  const seal = await cluster.makePath('seal', 'seal')
  const store = await cluster.makePath('store', 'store')
  const storage = await cluster.startNode('wk1', [seal, store])
  const sealer = new ResultTaker()
  const executor = await openExecutor({
    kind: 'prover',
    parameterCache: cluster.directory,
    log: silentLogger,
    clock: systemClock,
  })
  const worker = await Worker.open({
    storage,
    executor,
    readers: { receive: () => Promise.reject(new Error('no reader was announced')) },
    scratch: cluster.directory,
    db: await stateAtHand(t),
    returns: sealer.api,
    info: { hostname: 'wk1', ignoreResources: false, noSwap: false, resources: {} },
    tasks: STANDING_TASKS,
    node: {
      kind: 'worker',
      name: 'wk1',
      version: '0.1.0',
      session: '',
      machine: 'machine',
      url: 'http://wk1:3456',
      executor: executor.description,
    },
    proofType: SECTOR.ProofType,
    onShutdown: () => undefined,
    log: silentLog(),
    clock: cluster.clock,
  })
  t.teardown(() => worker.close(0))
  const { api } = worker
  const resultOf = async <T>(call: Promise<CallId>): Promise<T> => {
    const id = await call
    await api.WaitQuiet()
    await cluster.clock.advance(0)
    const result = sealer.taken.find((each) => each.id.ID === id.ID)
    t.is(result?.error?.Message, undefined)
    return result?.value as T
  }

  const zeroes = { Type: 'null' as const, Info: '2032' }
  const piece = await resultOf<PieceInfo>(api.AddPiece(SECTOR, [], 2032, zeroes))
  await resultOf(api.Fetch(SECTOR, fileTypeBits('unsealed'), 'sealing', 'move'))
  const output = await resultOf<string>(api.SealPreCommit1(SECTOR, TICKET, [piece]))
  await resultOf(api.Fetch(SECTOR, fileTypeBits('sealed', 'cache'), 'sealing', 'move'))
  const cids = await resultOf<SectorCids>(api.SealPreCommit2(SECTOR, output))
  await resultOf<string>(api.SealCommit1(SECTOR, TICKET, SEED, [piece], cids))
  await resultOf(api.ReleaseUnsealed(SECTOR, []))
  await resultOf(api.FinalizeSector(SECTOR))
  await resultOf(api.MoveStorage(SECTOR, fileTypeBits('sealed', 'cache')))

  const cache = store.fileOf('cache', SECTOR)
  t.deepEqual((await readdir(cache)).sort(), [...cacheFileBytes(PROOF, 'finalized').keys()].sort())
  t.true(existsSync(store.fileOf('sealed', SECTOR)))
  for (const type of ['unsealed', 'sealed', 'cache'] as const) {
    t.false(existsSync(seal.fileOf(type, SECTOR)), type)
  }
  t.deepEqual(await readdir(join(seal.directory, '.sealyard/scratch')), [])
  t.is((await storage.records.get(SECTOR.ID, store.id))?.phase, 'finalized', 'the record went along')
  t.is(await storage.records.get(SECTOR.ID, seal.id), null)
  t.deepEqual(await cluster.account.SpaceReservations(), [])
  t.deepEqual(await cluster.holders(SECTOR, fileTypeBits('cache')), [`${store.id}*`])

  await resultOf(api.UnsealPiece(SECTOR, 0, 2032, TICKET, cids.Unsealed))
  t.true(existsSync(seal.fileOf('unsealed', SECTOR)), sectorName(SECTOR.ID))
  t.deepEqual((await readdir(cache)).length, cacheFileBytes(PROOF, 'finalized').size)
})
