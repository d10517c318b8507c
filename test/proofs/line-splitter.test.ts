import test from 'ava'
import { LineSplitter } from '../../src/proofs/line-splitter.ts'

test('lines come out whole however the bytes come in', (t) => {
  const splitter = new LineSplitter(100)
  t.deepEqual(splitter.push(Buffer.from('on')), [])
  t.is(splitter.pendingBytes, 2)
  t.deepEqual(splitter.push(Buffer.from('e\ntwo\n\nth')), ['one', 'two', ''])
  t.deepEqual(splitter.push(Buffer.from('ree\n')), ['three'])
})

test('a character that is cut by two chunks is not damaged', (t) => {
  const splitter = new LineSplitter(100)
  const bytes = Buffer.from('größe\n')
  t.deepEqual([...splitter.push(bytes.subarray(0, 3)), ...splitter.push(bytes.subarray(3))], ['größe'])
})

test('a line over the limit is dropped, not kept in memory; the next one is whole again', (t) => {
  const splitter = new LineSplitter(4)
  t.deepEqual(splitter.push(Buffer.from('12345')), [])
  t.true(splitter.overflowing)
  t.deepEqual(splitter.push(Buffer.from('678\nnext\n')), [null, 'next'])
  t.false(splitter.overflowing)
})
