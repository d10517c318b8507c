import { readdir } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { SectorFileType } from '../../src/sectors/file-types.ts'
import { type ClusterAtHand, type PathAtHand, sector } from './cluster-at-hand.ts'

export async function listen(
  t: ExecutionContext,
  answer: RequestListener,
): Promise<{ server: Server; port: number }> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** A node of the field that holds a sector file on a seal path and answers as it is told. */
export async function startLotus(
  t: ExecutionContext,
  cluster: ClusterAtHand,
  id: string,
  bits: number,
  answer: RequestListener,
): Promise<void> {
  const { port } = await listen(t, answer)
  const info = {
    ID: id,
    URLs: [`http://127.0.0.1:${port}/remote`],
    Weight: 10,
    MaxStorage: 0,
    CanSeal: true,
    CanStore: false,
    Groups: [],
    AllowTo: [],
    AllowTypes: [],
    DenyTypes: [],
    AllowMiners: [],
    DenyMiners: [],
  }
  const stat = { Capacity: 0, Available: 0, FSAvailable: 0, Reserved: 0, Max: 0, Used: 0 }
  await cluster.index.StorageAttach(info, stat)
  await cluster.index.StorageDeclareSector(id, sector(1).ID, bits, false)
}

/** What lies in the `fetching/` directory of a type. */
export async function unfinished(path: PathAtHand, type: SectorFileType): Promise<string[]> {
  return readdir(join(path.directory, type, 'fetching')).catch(() => [])
}
