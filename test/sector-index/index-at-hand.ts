import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { FsStat, StorageInfo } from '../../src/protocol/types.ts'
import { SectorIndex } from '../../src/sector-index/sector-index.ts'
import { openSealerState } from '../../src/state/open.ts'

export const TIB = 2 ** 40

/** A path in lotus' shape: seals and stores, weight 10, open to all, unless said otherwise. */
export function pathInfo(id: string, rest: Partial<StorageInfo> = {}): StorageInfo {
  return {
    ID: id,
    URLs: [`http://${id}:3456/remote`],
    Weight: 10,
    MaxStorage: 0,
    CanSeal: true,
    CanStore: true,
    Groups: [],
    AllowTo: [],
    AllowTypes: [],
    DenyTypes: [],
    AllowMiners: [],
    DenyMiners: [],
    ...rest,
  }
}

export function fsStat(availableBytes: number): FsStat {
  return {
    Capacity: 8 * TIB,
    Available: availableBytes,
    FSAvailable: availableBytes,
    Reserved: 0,
    Max: 0,
    Used: 0,
  }
}

export interface IndexAtHand {
  readonly index: SectorIndex
  readonly clock: FakeClock
  /** Closes the index and opens it again from its file, as after a restart. */
  readonly restart: () => Promise<SectorIndex>
}

/** An index over a real state file in a directory of its own, closed and removed after the test. */
export async function indexAtHand(t: ExecutionContext): Promise<IndexAtHand> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-index-'))
  const clock = new FakeClock()
  const file = join(directory, 'state.sqlite')
  const open = async () => {
    const state = await openSealerState(file)
    return { state, index: await SectorIndex.open({ db: state.db, clock, log: silentLogger }) }
  }
  let current = await open()
  t.teardown(async () => {
    await current.index.close()
    await current.state.close()
    await rm(directory, { recursive: true })
  })
  const restart = async () => {
    await current.index.close()
    await current.state.close()
    current = await open()
    return current.index
  }
  return { index: current.index, clock, restart }
}
