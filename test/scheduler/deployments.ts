import { fileTypeBits } from '../../src/sectors/file-types.ts'
import { type Cluster, quiet, sectorOf } from './cluster-at-hand.ts'
import { machine, PC2_TAKES_ALL, seal, store } from './decide-tables.ts'
import type { ScriptedOptions, ScriptedWorker } from './scripted-worker.ts'

export const ONE = { paths: { seal: seal(), store } }
export const FRED: ScriptedOptions = {
  name: 'fred',
  seal: 'seal',
  stores: ['store'],
  info: machine(PC2_TAKES_ALL),
  tiers: [{ from: 'seal', to: 'store', tier: 'rename' }],
}
export const FOUNDING = {
  paths: {
    tmpsealer: seal(),
    tmpw01: seal('w01'),
    tmpw04: seal('w04'),
    store: { ...store, Weight: 8 },
    f01005: store,
  },
}
export const W01: ScriptedOptions = {
  name: 'w01',
  machine: 'm',
  seal: 'tmpw01',
  stores: ['store'],
  tiers: [{ from: 'tmpw01', to: 'store', tier: 'rename' }],
  auto: true,
}
export const W04: ScriptedOptions = {
  name: 'w04',
  machine: 'm',
  seal: 'tmpw04',
  stores: ['f01005'],
  tiers: [{ from: 'tmpw04', to: 'f01005', tier: 'clone' }],
  auto: true,
}
export const SEALER: ScriptedOptions = {
  name: 'sealer',
  machine: 'm',
  seal: 'tmpsealer',
  stores: ['store', 'f01005'],
  tasks: ['GET', 'FIN', 'FUS', 'UNS', 'C1'],
  auto: true,
}
export const TICKET = Buffer.from('ticket').toString('base64')
export const CACHE_AND_SEALED = fileTypeBits('sealed', 'cache')

export async function sealed(cluster: Cluster, number: number): Promise<void> {
  const sector = sectorOf(number)
  const piece = await cluster.tasks.addPiece(sector, [], 2032, { kind: 'zeroes' })
  const phase1 = await cluster.tasks.preCommit1(sector, TICKET, [piece])
  const cids = await cluster.tasks.preCommit2(sector, phase1)
  await cluster.tasks.commit1(sector, TICKET, TICKET, [piece], cids)
}

export const withoutFetches = (log: readonly string[]) => log.filter((line) => !line.startsWith('Fetch'))

export async function finishFetches(worker: ScriptedWorker): Promise<void> {
  for (const call of worker.takenOf('Fetch')) await worker.finish(call)
  await quiet()
}
