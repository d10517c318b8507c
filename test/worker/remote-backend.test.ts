import { readdir } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { sealedCid, unsealedCid } from '../../src/sectors/commitments.ts'
import { RemoteAnswers, type RemoteStorage } from '../../src/worker/remote-backend.ts'
import { SECTOR, SEED, TICKET } from './sector-at-hand.ts'
import { layForeignCache, tasksAtHand } from './worker-at-hand.ts'

const COMM_R = `06${'66'.repeat(31)}`

function request(proofType: number, update = false) {
  return {
    Miner: SECTOR.ID.Miner,
    Sector: {
      SealProof: SECTOR.ProofType,
      SectorNumber: SECTOR.ID.Number,
      SealedCID: sealedCid(COMM_R),
      Challenge: [12, 99],
      Update: update,
    },
    ProofType: proofType,
  }
}

async function answersAtHand(t: ExecutionContext, more: Partial<RemoteStorage> = {}) {
  const { storage, executor } = await tasksAtHand(t)
  const answers = new RemoteAnswers({
    storage: Object.assign(storage, more) as unknown as RemoteStorage,
    executor: executor.asExecutor(),
    scratch: storage.directory,
  })
  return { storage, executor, answers }
}

test('a vanilla proof is made from the files of this node, and leaves none behind', async (t) => {
  const { storage, executor, answers } = await answersAtHand(t)
  await layForeignCache(storage, 'finalized')
  const before = await readdir(storage.directory)
  t.is(Buffer.from(await answers.vanillaSingle(request(10))).toString(), 'vanilla')
  t.deepEqual(executor.last('vanillaPost'), {
    kind: 'window',
    sector: SECTOR,
    sealed: storage.file('sealed'),
    cache: storage.file('cache'),
    commR: COMM_R,
    challenges: [12, 99],
  })
  t.deepEqual(await readdir(storage.directory), before)
})

test('PoSt proof types are winning from 0 to 4 and window from 5 to 14', async (t) => {
  const { storage, executor, answers } = await answersAtHand(t)
  await layForeignCache(storage, 'finalized')
  for (let proofType = 0; proofType <= 14; proofType++) {
    await answers.vanillaSingle(request(proofType))
    t.is(executor.last('vanillaPost').kind, proofType <= 4 ? 'winning' : 'window', `${proofType}`)
  }
  for (const proofType of [-1, 15]) {
    await t.throwsAsync(answers.vanillaSingle(request(proofType)), { code: 'BAD_REQUEST' })
  }
})

test('a sector that is not here, or was updated, is not proven', async (t) => {
  const { answers } = await answersAtHand(t)
  await t.throwsAsync(answers.vanillaSingle(request(10)), { code: 'NOT_HELD' })
  await t.throwsAsync(answers.vanillaSingle(request(10, true)), { code: 'NOT_SUPPORTED' })
})

test('what another node wants removed is put aside when it is the last copy in a store path', async (t) => {
  const asked: unknown[][] = []
  const { answers } = await answersAtHand(t, {
    remove: async (...args) => void asked.push(args),
    stat: async (id) => ({ Capacity: id.length }) as never,
    allocated: async (...args) => asked.push(args) > 0,
  })
  await answers.remove(SECTOR.ID, 'sealed', ['a'])
  await answers.allocated(SECTOR.ID, SECTOR.ProofType, 0, 127)
  t.deepEqual(asked, [
    [SECTOR.ID, 'sealed', ['a'], { quarantineLastStoreCopy: true }],
    [SECTOR, 0, 127],
  ])
  t.is((await answers.stat('abc')).Capacity, 3)
})

test('a vanilla PoRep is C1 over the data as one piece, and leaves nothing behind', async (t) => {
  const { storage, executor, answers } = await answersAtHand(t)
  const asked = {
    Sector: SECTOR,
    Sealed: sealedCid(COMM_R),
    Unsealed: unsealedCid('55'.repeat(32)),
    Ticket: TICKET,
    Seed: SEED,
  }
  await t.throwsAsync(answers.vanillaPorep(asked), { code: 'NOT_HELD' })
  await layForeignCache(storage, 'pc2')
  const before = await readdir(storage.directory)
  t.is(Buffer.from(await answers.vanillaPorep(asked)).toString(), '{"proof":"of C1"}')
  t.like(executor.last('commit1'), {
    sector: SECTOR,
    cache: storage.file('cache'),
    ticket: '11'.repeat(32),
    seed: '33'.repeat(32),
    pieces: [{ commitment: '55'.repeat(32), paddedBytes: 2048 }],
    commD: '55'.repeat(32),
    commR: COMM_R,
  })
  t.deepEqual(await readdir(storage.directory), before)
})
