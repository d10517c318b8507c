import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import type { SectorStorageInfo } from '../../src/protocol/types.ts'
import { pipelineAtHand } from './pipeline-at-hand.ts'

interface VanillaCall {
  readonly path: string
  readonly token: string
  readonly body: { Miner: number; ProofType: number; Sector: Record<string, unknown> }
}

/** A node's `/remote/vanilla/single`. */
async function node(t: ExecutionContext, answer: (call: VanillaCall) => string | number) {
  const calls: VanillaCall[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      const call = {
        path: request.url ?? '',
        token: request.headers.authorization ?? '',
        body: body as VanillaCall['body'],
      }
      calls.push(call)
      const said = answer(call)
      if (typeof said === 'number') response.writeHead(said).end('no such file\nmore')
      else response.end(said)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/remote`, calls }
}

function holder(id: string, urls: readonly string[], canStore = true): SectorStorageInfo {
  const filters = { AllowTypes: [], DenyTypes: [], AllowMiners: [], DenyMiners: [] }
  const use = { Weight: 10, CanSeal: false, CanStore: canStore, Primary: true }
  return { ID: id, URLs: [...urls], BaseURLs: [...urls], ...use, ...filters }
}

async function storedSectors(t: ExecutionContext, holders: readonly SectorStorageInfo[], sectors = 1) {
  const at = await pipelineAtHand(t, {
    index: { StorageFindSector: async () => [...holders], StorageList: async () => ({}) },
  })
  for (let number = 1; number <= sectors; number++) {
    await at.api().PledgeSector()
    await at.until(number, 'Proving')
  }
  return at
}

test('each node that sees the store path reads each sector, and the report says so', async (t) => {
  const words = ({ body }: VanillaCall) => `vanilla ${String(body.Sector.SectorNumber)} `
  const [first, second] = [await node(t, words), await node(t, words)]
  const scratch = holder('scratch', ['http://127.0.0.1:1/remote'], false)
  const { api } = await storedSectors(t, [holder('store', [first.url, second.url]), scratch], 2)
  const report = await api().ProveWindowPost([2, 1, 2])
  t.true(report.valid)
  t.true(report.offline)
  t.is(report.proofBytes, 'vanilla 1 vanilla 2 '.length)
  t.deepEqual(
    report.readings.map(({ sector, url, pathId }) => ({ sector, url, pathId })),
    [1, 2].flatMap((sector) => [first.url, second.url].map((url) => ({ sector, url, pathId: 'store' }))),
  )
  const [call] = first.calls
  const { CommR } = await api().SectorsStatus(1, false)
  t.deepEqual(call, {
    path: '/remote/vanilla/single',
    token: 'Bearer a-token',
    body: {
      Miner: 1005,
      Sector: { SealProof: 5, SectorNumber: 1, SealedCID: CommR, Challenge: [1, 9], Update: false },
      ProofType: 10,
    },
  })
})

test('two nodes that read different proofs are both named', async (t) => {
  const [first, second] = [await node(t, () => 'one'), await node(t, () => 'other')]
  const { api } = await storedSectors(t, [holder('store', [first.url, second.url])])
  const error = await t.throwsAsync(api().ProveWindowPost([1]), { code: 'READINGS_DIFFER' })
  t.true(error.message.includes(first.url) && error.message.includes(second.url))
})

test('a node that cannot read a sector is named with its words', async (t) => {
  const good = await node(t, () => 'one')
  const bad = await node(t, () => 500)
  const { api } = await storedSectors(t, [holder('store', [good.url, bad.url])])
  const error = await t.throwsAsync(api().ProveWindowPost([1]), { code: 'READING_FAILED' })
  t.is(error.message, `${bad.url} could not read sector 1: HTTP 500 no such file`)
})

test('only sectors that are stored are proven, and only with parameters', async (t) => {
  const { api, cluster, until } = await storedSectors(t, [holder('scratch', ['http://127.0.0.1:1'], false)])
  await t.throwsAsync(api().ProveWindowPost([1]), { code: 'NOT_STORED', message: /storage find 1/ })
  await t.throwsAsync(api().ProveWindowPost([]), { code: 'SECTOR_STATE', message: /at least one/ })
  await t.throwsAsync(api().ProveWindowPost([1, 8]), { code: 'SECTOR_UNKNOWN' })
  cluster.script = () => {
    throw new Error('no')
  }
  await api().PledgeSector()
  await until(2, 'PackingFailed')
  await t.throwsAsync(api().ProveWindowPost([1, 2]), { code: 'SECTOR_STATE', message: /PackingFailed/ })
  cluster.postParameters = false
  await t.throwsAsync(api().ProveWindowPost([1]), { code: 'NO_PARAMETERS', message: /parameters make/ })
})
