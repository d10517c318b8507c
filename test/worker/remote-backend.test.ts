import { readdir } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { sealedCid } from '../../src/sectors/commitments.ts'
import { RemoteAnswers, type RemoteStorage } from '../../src/worker/remote-backend.ts'
import { SECTOR } from './sector-at-hand.ts'
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
