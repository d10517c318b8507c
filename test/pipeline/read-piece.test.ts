import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { PipelineOptions } from '../../src/pipeline/pipeline.ts'
import type { SectorStorageInfo } from '../../src/protocol/types.ts'
import { pipelineAtHand } from './pipeline-at-hand.ts'

/** A sealer's paths with at most one unsealed file, which may lie on another node at first. */
function unsealedCopy() {
  const copy = { file: '', here: true, held: true, whole: true, fetches: 0 }
  const options: Pick<PipelineOptions, 'storage' | 'index'> = {
    storage: {
      find: async () => (copy.here ? { pathId: 'path', file: copy.file } : null),
      fetch: async () => {
        copy.fetches += 1
        copy.here = true
      },
      allocated: async () => copy.whole,
    },
    index: {
      StorageFindSector: async () => (copy.held ? [{ ID: 'path' } as SectorStorageInfo] : []),
      StorageList: async () => ({}),
    },
  }
  return { copy, options }
}

async function sectorWithPieces(t: Parameters<typeof pipelineAtHand>[0]) {
  const { copy, options } = unsealedCopy()
  const at = await pipelineAtHand(t, options)
  const pieces = [randomBytes(100), randomBytes(300)]
  for (const [index, piece] of pieces.entries()) at.cluster.offered.set(`${index}`, piece)
  await at.api().SectorAdd({
    pieces: pieces.map((piece, index) => ({
      dataBytes: piece.length,
      reader: { Type: 'push', Info: `${index}` },
    })),
  })
  await at.until(1, 'Proving')
  const unsealed = Buffer.alloc(2032)
  pieces[0]?.copy(unsealed, 0)
  // The second piece has 512 bytes padded and starts at a multiple of that.
  pieces[1]?.copy(unsealed, 508)
  copy.file = join(at.repo, 'unsealed')
  await writeFile(copy.file, unsealed)
  return { ...at, copy, pieces }
}

test("a piece's data, and nothing of its padding, is written to the file", async (t) => {
  const { api, repo, copy, pieces } = await sectorWithPieces(t)
  for (const [index, piece] of pieces.entries()) {
    const output = join(repo, `out-${index}`)
    const answer = await api().ReadPiece(1, index, output)
    t.deepEqual(answer, { bytes: piece.length, from: copy.file })
    t.deepEqual(await readFile(output), piece)
  }
  t.is(copy.fetches, 0)
})

test('an unsealed copy on another node is fetched first', async (t) => {
  const { api, repo, copy, pieces } = await sectorWithPieces(t)
  copy.here = false
  await api().ReadPiece(1, 0, join(repo, 'out'))
  t.is(copy.fetches, 1)
  t.deepEqual(await readFile(join(repo, 'out')), pieces[0])
})

test('without an unsealed copy of the piece it says to unseal first', async (t) => {
  const { api, repo, copy } = await sectorWithPieces(t)
  const unsealFirst = { code: 'NOT_UNSEALED', message: /unseal it first with 'sectors unseal 1'/ }
  copy.whole = false
  await t.throwsAsync(api().ReadPiece(1, 0, join(repo, 'out')), unsealFirst)
  copy.here = false
  copy.held = false
  await t.throwsAsync(api().ReadPiece(1, 0, join(repo, 'out')), unsealFirst)
  t.is(copy.fetches, 0)
})

test('what is there is never replaced, and nothing half-written stays', async (t) => {
  const { api, repo, copy } = await sectorWithPieces(t)
  const output = join(repo, 'out')
  await writeFile(output, 'precious')
  await t.throwsAsync(api().ReadPiece(1, 0, output), { code: 'OUTPUT_EXISTS' })
  t.is(await readFile(output, 'utf8'), 'precious')
  await t.throwsAsync(api().ReadPiece(1, 0, 'out'), { code: 'BAD_OUTPUT', message: /absolute/ })
  copy.file = join(repo, 'gone')
  await t.throwsAsync(api().ReadPiece(1, 0, join(repo, 'other')), { code: 'ENOENT' })
  t.deepEqual(
    (await readdir(repo)).filter((name) => name.includes('other')),
    [],
  )
  t.deepEqual(await readdir(join(repo, 'staging')), [])
})

test('a piece that is not there is named', async (t) => {
  const { api, repo, until } = await sectorWithPieces(t)
  await t.throwsAsync(api().ReadPiece(1, 2, join(repo, 'out')), {
    code: 'PIECE_UNKNOWN',
    message: /2 pieces/,
  })
  await api().PledgeSector()
  await until(2, 'Proving')
  await t.throwsAsync(api().ReadPiece(2, 0, join(repo, 'out')), { message: /holds zeroes only/ })
})
