import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { SpaceApi } from '../../src/protocol/apis.ts'
import type { SpaceRequest } from '../../src/protocol/types.ts'
import { openWorkerState } from '../../src/state/open.ts'
import { Grants } from '../../src/storage/grants.ts'
import type { SpaceViews } from '../../src/storage/space-views.ts'
import { StoragePath } from '../../src/storage/storage-path.ts'

const SECTOR = { Miner: 1000, Number: 1 }

async function atHand(t: ExecutionContext) {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-grants-'))
  const state = await openWorkerState(join(directory, 'state.sqlite'))
  t.teardown(async () => {
    await state.close()
    await rm(directory, { recursive: true })
  })
  const account = new Set<string>()
  const space = {
    SpaceReserve: async ({ entries }: SpaceRequest) => {
      for (const { id } of entries) account.add(id)
      return { outcome: 'granted' }
    },
    SpaceRelease: async (ids: string[]) => {
      for (const id of ids) account.delete(id)
    },
  } as unknown as SpaceApi
  const grants = new Grants({
    db: state.db,
    space,
    views: { viewsOf: async () => [] } as unknown as SpaceViews,
    paths: () => [],
    owner: 'node',
    clock: new FakeClock(),
    log: silentLogger,
  })
  const path = new StoragePath({
    written: directory,
    directory,
    identity: { id: 'a', device: 1, inode: 1, nonce: null },
    filesystemType: 'ext4',
    meta: {} as StoragePath['meta'],
  })
  const wants = [{ what: 'sealed' as const, path, neededBytes: 2048, reportedBytes: 2048 }]
  return { state, account, grants, path, wants }
}

test('what is given back while it is announced does not come back into the account', async (t) => {
  const { account, grants, wants } = await atHand(t)
  const giveBack = await grants.reserve('PC1', SECTOR, wants)
  t.is(account.size, 1)
  const announced = grants.announce()
  // It is looking at the disk by now; the account is asked after that.
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  await giveBack()
  await announced
  t.deepEqual([...account], [])
})

test('a grant that cannot be written down is not held', async (t) => {
  const { state, account, grants, path, wants } = await atHand(t)
  await state.db.schema.dropTable('grants').execute()
  await t.throwsAsync(grants.reserve('PC1', SECTOR, wants), { code: 'IO' })
  t.deepEqual(await grants.reservedOn(path), [])
  t.deepEqual([...account], [])
})
