import test from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { Declarations } from '../../src/storage/declarations.ts'
import { StoragePath } from '../../src/storage/storage-path.ts'
import { Published } from './cluster-at-hand.ts'

const SECTOR = { Miner: 1000, Number: 1 }

function atHand() {
  const said: string[] = []
  const waiting: (() => void)[] = []
  let answer: 'now' | 'later' | 'never' = 'now'
  const hear = async (word: string) => {
    if (answer === 'never') throw new Error('the sealer is away')
    if (answer === 'later') await new Promise<void>((resolve) => waiting.push(resolve))
    said.push(word)
  }
  const publications = new Published()
  const declarations = new Declarations({
    index: { StorageDeclareSector: () => hear('held'), StorageDropSector: () => hear('gone') },
    publications,
    log: silentLogger,
    clock: new FakeClock(),
    retryMs: 5000,
  })
  const path = new StoragePath({
    written: '/mnt/a',
    directory: '/mnt/a',
    identity: { id: 'a', device: 1, inode: 1, nonce: null },
    filesystemType: 'ext4',
    meta: {} as StoragePath['meta'],
  })
  const answers = (how: typeof answer) => {
    answer = how
    for (const resolve of waiting.splice(0)) resolve()
  }
  return { declarations, path, said, publications, answers }
}

test('words on one file reach the index in the order in which they were said', async (t) => {
  const { declarations, path, said, answers } = atHand()
  answers('later')
  const held = declarations.declare(path, 'sealed', SECTOR, true)
  const gone = declarations.drop(path, 'sealed', SECTOR)
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(said, [], 'the second word waits for the first')
  answers('now')
  await Promise.all([held, gone])
  t.deepEqual(said, ['held', 'gone'])
})

test('an old word that was not heard is not said after a newer one', async (t) => {
  const { declarations, path, said, answers } = atHand()
  answers('never')
  t.false(await declarations.declare(path, 'unsealed', { ...SECTOR, Number: 2 }, true))
  t.false(await declarations.declare(path, 'sealed', SECTOR, true))
  answers('later')
  const flushed = declarations.flush()
  await new Promise((resolve) => setImmediate(resolve))
  const gone = declarations.drop(path, 'sealed', SECTOR)
  answers('now')
  await Promise.all([flushed, gone])
  t.is(said.filter((word) => word === 'held').length, 1, 'of the other file')
  t.is(said.filter((word) => word === 'gone').length, 1)
})

test('of a path that is detached the index hears nothing more, and nobody waits for it', async (t) => {
  const { declarations, path, said, publications, answers } = atHand()
  answers('never')
  t.false(await declarations.declare(path, 'sealed', SECTOR, true))
  declarations.serveFound(path, 'cache', SECTOR)
  t.is(publications.files.size, 2)
  declarations.forget(path)
  t.is(publications.files.size, 0)
  answers('now')
  await declarations.flush()
  const never = new AbortController().signal
  await t.throwsAsync(declarations.declareSurely(path, 'sealed', SECTOR, true, never), {
    code: 'UNKNOWN_PATH',
  })
  t.deepEqual(said, [])
})
