import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { openWorkerState } from '../../src/state/open.ts'
import { CacheRecords } from '../../src/storage/cache-records.ts'

const SECTOR = { Miner: 1000, Number: 1 }

test('a record tells whether the machine was started anew since it was put', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-records-'))
  const state = await openWorkerState(join(directory, 'state.sqlite'))
  t.teardown(async () => {
    await state.close()
    await rm(directory, { recursive: true })
  })
  const clock = new FakeClock()
  const [first, second, unknown] = ['one', 'two', ''].map((boot) => new CacheRecords(state.db, clock, boot))
  await first?.put(SECTOR, 'path', { ticket: 'dGlja2V0', pieces: [], phase: 'pc1-started' })
  t.true(await first?.isOfThisBoot(SECTOR, 'path'))
  t.false(await second?.isOfThisBoot(SECTOR, 'path'))
  await second?.setPhase(SECTOR, 'path', 'pc1')
  t.true(await second?.isOfThisBoot(SECTOR, 'path'))
  await unknown?.setPhase(SECTOR, 'path', 'pc1-started')
  t.false(await unknown?.isOfThisBoot(SECTOR, 'path'), 'what is not known is not trusted')
  t.false(await first?.isOfThisBoot(SECTOR, 'elsewhere'))
})
