import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { SectorStore } from '../../src/pipeline/sector-store.ts'
import { openSealerState } from '../../src/state/open.ts'

const MINER = 1005
const NEW = { proofType: 5, state: 'Packing', pieces: [], staging: null, keepUnsealed: false } as const

test('the log of a sector that fails for weeks keeps its beginning and its end', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-pipeline-'))
  const state = await openSealerState(join(directory, 'state.sqlite'))
  t.teardown(async () => {
    await state.close()
    await rm(directory, { recursive: true })
  })
  const piece = { offset: 0, size: 2048, dataBytes: 0, commitment: null, file: null, added: false }
  const store = new SectorStore(state.db, MINER, new FakeClock())
  const { id } = await store.create({ ...NEW, pieces: [piece] }, 0, { kind: 'state', message: 'made' })
  const line = (message: string) => ({ miner: MINER, at: 0, kind: 'error', message, trace: '' })
  const lines = Array.from({ length: 1998 }, (_, at) => ({ ...line(`failure ${at}`), number: id.Number }))
  for (let at = 0; at < lines.length; at += 100) {
    await state.db
      .insertInto('sector_events')
      .values(lines.slice(at, at + 100))
      .execute()
  }
  const log = (message: string) =>
    store.change(id.Number, () => ({ event: { kind: 'error', message } })).then(() => store.events(id.Number))
  t.is((await log('the 2000th')).length, 2000)
  const shorter = await log('the 2001st')
  t.is(shorter.length, 2001 - 499)
  t.is(shorter[0]?.message, 'made')
  t.is(shorter[499]?.message, 'failure 498')
  t.is(shorter[500]?.message, 'lines of the log were left out here')
  t.is(shorter[501]?.message, 'failure 999')
  t.is(shorter.at(-1)?.message, 'the 2001st')
})
