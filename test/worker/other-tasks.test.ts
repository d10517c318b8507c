import { readdir } from 'node:fs/promises'
import test from 'ava'
import { unsealedCid } from '../../src/sectors/commitments.ts'
import { fileTypeBits } from '../../src/sectors/file-types.ts'
import { addPiece } from '../../src/worker/tasks/add-piece.ts'
import { commit2 } from '../../src/worker/tasks/commit-2.ts'
import { fetch } from '../../src/worker/tasks/fetch.ts'
import { moveStorage } from '../../src/worker/tasks/move-storage.ts'
import { releaseUnsealed } from '../../src/worker/tasks/release-unsealed.ts'
import { unseal } from '../../src/worker/tasks/unseal.ts'
import { SECTOR, TICKET } from './sector-at-hand.ts'
import { layForeignCache, layUnsealed, tasksAtHand } from './worker-at-hand.ts'

const PUSH = { Type: 'push' as const, Info: '5f0c7f9e-1d4b-4c1c-8d6f-0d4d2b2f8a11' }
const ZEROES = { Type: 'null' as const, Info: '2032' }
const unsealed = fileTypeBits('unsealed')
const sealed = fileTypeBits('sealed')

test('AP: a pushed piece is here whole before the sector is touched', async (t) => {
  const { storage, executor, tools, events } = await tasksAtHand(t)
  const piece = await addPiece(tools, {
    sector: SECTOR,
    existingPieces: [],
    pieceBytes: 2032,
    reader: PUSH,
  })
  t.deepEqual(piece, { Size: 2048, PieceCID: unsealedCid('44'.repeat(32)) })
  t.deepEqual(events, ['acquire AP', 'receive push', 'run addPiece', 'release AP'])
  const source = executor.last('addPiece').source as { file: string; dataBytes: number }
  t.is(source.dataBytes, 16)
  t.true(source.file.startsWith(storage.directory), 'the piece waits on the same filesystem')
  t.is(storage.acquired[0]?.scratchBytes, 2032)
})

test('AP: a push that breaks off leaves the sector as it was', async (t) => {
  const { storage, tools, events } = await tasksAtHand(t)
  const broken = { ...tools, readers: { receive: () => Promise.reject(new Error('cut')) } }
  await t.throwsAsync(
    addPiece(broken, { sector: SECTOR, existingPieces: [], pieceBytes: 2032, reader: PUSH }),
    { message: 'cut' },
  )
  t.false(events.includes('run addPiece'))
  t.is(await storage.find('unsealed'), null)
})

test('AP: zeroes need no scratch; a further piece needs the file that is there', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  const next = { sector: SECTOR, existingPieces: [1016], pieceBytes: 1016, reader: ZEROES }
  await t.throwsAsync(addPiece(tools, next), { code: 'NOT_FOUND' })
  await layUnsealed(storage)
  await addPiece(tools, next)
  t.deepEqual(executor.last('addPiece').source, { kind: 'zeroes' })
  t.deepEqual(storage.acquired.at(-1)?.existing, unsealed)
  t.is(storage.acquired.at(-1)?.scratchBytes, 0)
})

test("C2: reads C1's output from a file and leaves nothing behind", async (t) => {
  const { storage, executor, tools, events } = await tasksAtHand(t)
  const before = await readdir(storage.directory)
  const commit1Output = Buffer.from('{"proof":"of C1"}').toString('base64')
  const proof = await commit2(tools, { sector: SECTOR, commit1Output })
  t.is(Buffer.from(proof, 'base64').length, 192)
  t.is(executor.last('commit2').text, '{"proof":"of C1"}')
  t.deepEqual(await readdir(storage.directory), before)
  t.deepEqual(events, ['run commit2'], 'no path is needed')
})

test('C2: without parameters it fails for good before it starts', async (t) => {
  const { executor, tools, events } = await tasksAtHand(t)
  executor.commit2Possible = false
  const error = await t.throwsAsync(commit2(tools, { sector: SECTOR, commit1Output: 'e30=' }), {
    code: 'NO_PARAMETERS',
  })
  t.regex(error?.message ?? '', /2KiB.*FIL_PROOFS_PARAMETER_CACHE/)
  t.deepEqual(events, [])
})

test('FUS: with nothing to keep the copy goes; when it is gone already that is fine', async (t) => {
  const { storage, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  await releaseUnsealed(tools, { sector: SECTOR, keep: [] })
  t.is(await storage.find('unsealed'), null)
  await t.notThrowsAsync(releaseUnsealed(tools, { sector: SECTOR, keep: [] }))
  storage.stuck.set('unsealed', new Error('the disk does not answer'))
  await t.throwsAsync(releaseUnsealed(tools, { sector: SECTOR, keep: [] }))
})

test('FUS: with ranges to keep the rest of the file is freed', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  await releaseUnsealed(tools, { sector: SECTOR, keep: [{ Offset: 0, Size: 1024 }] })
  t.deepEqual(executor.last('freeUnsealed').keep, [{ offset: 0, size: 1024 }])
  t.not(await storage.find('unsealed'), null)
})

const UNSEAL = {
  sector: SECTOR,
  offset: 0,
  size: 2032,
  ticket: TICKET,
  unsealed: unsealedCid('55'.repeat(32)),
}

test('UNS: names the sealed file only, so that nothing is written into the real cache', async (t) => {
  const { storage, executor, tools } = await tasksAtHand(t)
  await layForeignCache(storage, 'finalized')
  const cache = await readdir(storage.file('cache'))
  await unseal(tools, UNSEAL)
  t.is(storage.acquired[0]?.existing, sealed)
  t.is(storage.acquired[0]?.allocate, unsealed)
  const { commD, ticket } = executor.last('unseal')
  t.deepEqual([commD, ticket], ['55'.repeat(32), '11'.repeat(32)])
  t.deepEqual(await readdir(storage.file('cache')), cache)
})

test('UNS: what is unsealed already is not unsealed again; part of it is added to the file', async (t) => {
  const { storage, tools, events } = await tasksAtHand(t)
  await layForeignCache(storage, 'finalized')
  await layUnsealed(storage)
  Object.assign(tools.storage, { allocated: async () => true })
  await unseal(tools, UNSEAL)
  t.deepEqual(events, [])
  Object.assign(tools.storage, { allocated: async () => false })
  await unseal(tools, UNSEAL)
  t.is(storage.acquired[0]?.existing, sealed | unsealed)
  t.true(events.includes('run unseal'))
})

test('GET and fetch pass on what they are asked, and no types at all are nothing to do', async (t) => {
  const { tools } = await tasksAtHand(t)
  const asked: unknown[] = []
  Object.assign(tools.storage, {
    moveToStore: async (...args: unknown[]) => void asked.push(['move', ...args]),
    fetch: async (...args: unknown[]) => void asked.push(['fetch', ...args]),
  })
  await moveStorage(tools, SECTOR, 0)
  await fetch(tools, { sector: SECTOR, bits: 0, kind: 'sealing', mode: 'move' })
  t.deepEqual(asked, [])
  await moveStorage(tools, SECTOR, 6)
  await fetch(tools, { sector: SECTOR, bits: 6, kind: 'sealing', mode: 'copy' })
  t.deepEqual(asked, [
    ['move', SECTOR, 6, tools.signal],
    ['fetch', SECTOR, 6, 'sealing', 'copy', tools.signal],
  ])
})
