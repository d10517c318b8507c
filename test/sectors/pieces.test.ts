import test from 'ava'
import fc from 'fast-check'
import { fillPieces, isPieceSize, packPieces, pieceSizeFor, unpaddedRange } from '../../src/sectors/pieces.ts'

const sizes: [number, number][] = [
  [1, 128],
  [127, 128],
  [128, 256],
  [254, 256],
  [255, 512],
  [1016, 1024],
  [1017, 2048],
  [2032, 2048],
  [32 * 2 ** 30 - 2 ** 28, 32 * 2 ** 30],
]
for (const [dataBytes, size] of sizes) {
  test(`${dataBytes} bytes of data take a piece of ${size}`, (t) => t.is(pieceSizeFor(dataBytes), size))
}

test('refuses a piece of nothing, of a fraction or of less', (t) => {
  for (const bytes of [0, -1, 1.5, Number.NaN]) t.throws(() => pieceSizeFor(bytes), { code: 'BAD_PIECE' })
})

test('fills a rest with the powers of two that make it up, smallest first, as lotus does', (t) => {
  t.deepEqual(fillPieces(0), [])
  t.deepEqual(fillPieces(2048), [2048])
  t.deepEqual(fillPieces(1024 + 512 + 128), [128, 512, 1024])
})

test('a sector of zeroes alone is one piece', (t) => {
  t.deepEqual(packPieces([], 2048), [{ offset: 0, size: 2048, dataBytes: 0 }])
})

test('a piece starts at a multiple of its size, and zero pieces fill the gap before it and the end', (t) => {
  t.deepEqual(packPieces([100, 500], 2048), [
    { offset: 0, size: 128, dataBytes: 100 },
    { offset: 128, size: 128, dataBytes: 0 },
    { offset: 256, size: 256, dataBytes: 0 },
    { offset: 512, size: 512, dataBytes: 500 },
    { offset: 1024, size: 1024, dataBytes: 0 },
  ])
})

test('pieces that do not fit are refused with both sizes in words', (t) => {
  t.throws(() => packPieces([1500, 1500], 2048), { code: 'PIECES_TOO_LARGE', message: /4096 .* 2048/ })
  t.throws(() => packPieces([2033], 2048), { code: 'PIECES_TOO_LARGE' })
})

test('ranges are counted in unpadded bytes', (t) => {
  t.deepEqual(unpaddedRange({ offset: 512, size: 512, dataBytes: 500 }), { offset: 508, size: 508 })
})

test('whatever is packed covers the sector without gap or overlap, each piece aligned and of a legal size', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400_000 }), { maxLength: 8 }), (data) => {
      const placed = packPieces(data, 8 * 2 ** 20)
      let end = 0
      for (const piece of placed) {
        t.is(piece.offset, end)
        t.is(piece.offset % piece.size, 0)
        t.true(isPieceSize(piece.size))
        end += piece.size
      }
      t.is(end, 8 * 2 ** 20)
      t.deepEqual(
        placed.filter((piece) => piece.dataBytes > 0).map((piece) => piece.dataBytes),
        data,
      )
    }),
    { numRuns: 100 },
  )
})
