import test from 'ava'
import type { MethodTable } from '../../src/protocol/method.ts'
import { sealerMethods } from '../../src/protocol/sealer-methods.ts'
import { workerMethods } from '../../src/protocol/worker-methods.ts'

/** Methods of the field that ask for less than `admin`, as lotus' API has them. */
const MINER: Readonly<Record<string, string>> = {
  Discover: 'read',
  Session: 'read',
  LogList: 'write',
  LogSetLevel: 'write',
  Version: 'read',
  AuthVerify: 'read',
  StorageAuthVerify: 'read',
  ActorAddress: 'read',
  ActorSectorSize: 'read',
  PledgeSector: 'write',
  SectorsList: 'read',
  SectorsStatus: 'read',
  SectorsSummary: 'read',
}
/** A worker of lotus asks for `admin` everywhere; what only describes ours, or is its log, is not guarded so. */
const WORKER: Readonly<Record<string, string>> = { Discover: 'read', LogList: 'write', LogSetLevel: 'write' }

function lesser(table: MethodTable): Record<string, string> {
  const named = Object.entries(table).filter(([name]) => name.startsWith('Filecoin.'))
  return Object.fromEntries(
    named.flatMap(([name, { permission }]) =>
      permission === 'admin' ? [] : [[name.slice('Filecoin.'.length), permission]],
    ),
  )
}

test('a sealer guards the methods of the field as a lotus miner does', (t) => {
  t.deepEqual(lesser(sealerMethods), MINER)
})

test('a worker asks for admin wherever it does something', (t) => {
  t.deepEqual(lesser(workerMethods), WORKER)
})
