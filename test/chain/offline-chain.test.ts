import test from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { OfflineChain } from '../../src/chain/offline-chain.ts'

const sector = { Miner: 1005, Number: 7 }
const commitments = { commD: 'ab'.repeat(32), commR: 'cd'.repeat(32) }

function chain(options: { waitMs?: number; network?: string } = {}) {
  const clock = new FakeClock()
  return { clock, chain: new OfflineChain({ clock, waitMs: 0, ...options }) }
}

test('says that it is offline', (t) => t.true(chain().chain.offline))

test('a ticket is 32 bytes that fit the field, the same when asked again in the same epoch', async (t) => {
  const { chain: offline } = chain()
  const first = await offline.ticket(sector)
  t.deepEqual(await offline.ticket(sector), first)
  for (let number = 0; number < 64; number++) {
    const { value } = await offline.ticket({ Miner: 1005, Number: number })
    t.is(value.length, 64)
    t.true(Number.parseInt(value.slice(62), 16) < 0x40)
  }
})

test('sectors, purposes, epochs and networks do not share randomness', async (t) => {
  const { chain: offline, clock } = chain()
  const ticket = await offline.ticket(sector)
  const seed = await offline.seed(sector, ticket.epoch - 150)
  t.is(seed.epoch, ticket.epoch)
  const other = await offline.ticket({ Miner: 1005, Number: 8 })
  const elsewhere = await chain({ network: 'another' }).chain.ticket(sector)
  await clock.advance(30_000)
  const later = await offline.ticket(sector)
  t.is(later.epoch, ticket.epoch + 1)
  t.is(new Set([ticket, seed, other, elsewhere, later].map((each) => each.value)).size, 5)
})

test('the seed belongs to an epoch 150 after the pre-commit landed', async (t) => {
  const { chain: offline } = chain()
  t.is((await offline.seed(sector, 1000)).epoch, 1150)
})

test('the same request answers the same message, another one another', async (t) => {
  const { chain: offline } = chain()
  const request = { sector, proofType: 5, ticketEpoch: 3, ...commitments }
  const message = await offline.submitPreCommit(request)
  t.regex(message, /^bafyrei/)
  t.is(await offline.submitPreCommit(request), message)
  t.not(await offline.submitPreCommit({ ...request, ticketEpoch: 4 }), message)
  t.not(await offline.submitCommit({ sector, proof: new Uint8Array(192) }), message)
})

test('waits take as long as told, and end when the signal fires', async (t) => {
  const { chain: offline, clock } = chain({ waitMs: 500 })
  const stop = new AbortController()
  let landed = false
  const waiting = offline.preCommitLanded('bafy').then(() => {
    landed = true
  })
  const aborted = t.throwsAsync(offline.seed(sector, 1, stop.signal), { message: 'stop' })
  await clock.advance(499)
  t.false(landed)
  stop.abort(new Error('stop'))
  await aborted
  await clock.advance(1)
  await waiting
  t.true(landed)
})
