import test from 'ava'
import { DURABLE_STEPS } from '../../src/base/durable-steps.ts'
import { filesBelow, read } from '../source-files.ts'

const NAMES = Object.keys(DURABLE_STEPS)

/** Rooms in which daemons write what a sector's life depends on. */
const ROOMS = ['pipeline', 'scheduler', 'worker', 'sector-index', 'storage'] as const

const WRITES = /\.(insertInto|updateTable|deleteFrom|replaceInto)\(|\.transaction\(\)|\bwriteDurably\(/

/** What is no step of a daemon, and why. */
const OTHERS: Readonly<Record<string, string>> = {
  'src/storage/init-storage-path.ts': 'makes a path at the command line, before any daemon knows it',
  'src/sector-index/write-batch.ts': 'carries writes that have their names where they are submitted',
}

/** Functions and methods with their bodies. */
function functionsOf(file: string): string[] {
  const found: string[] = []
  let current: string[] | null = null
  let end = ''
  for (const line of read(file).split('\n')) {
    const head = /^( {0,2})(?!\}|\/|\*| ).*[{(]$/.exec(line)
    if (current === null && head !== null && /\bfunction\b|^ {2}\S/.test(line)) {
      current = []
      end = `${head[1]}}`
    }
    current?.push(line)
    if (current !== null && line === end) {
      found.push(current.join('\n'))
      current = null
    }
  }
  return found
}

test('every durable write of a daemon has its name in the table of steps', (t) => {
  const files = ROOMS.flatMap((room) => filesBelow(`src/${room}`, (name) => name.endsWith('.ts')))
  const nameless: string[] = []
  let writes = 0
  for (const file of files.filter((each) => !(each in OTHERS))) {
    for (const body of functionsOf(file)) {
      if (!WRITES.test(body.replace(/^import .*$/gm, ''))) continue
      writes += 1
      const [head = ''] = body.split('\n')
      // Inside the transaction of a caller, whose step it is part of.
      const isPart = /\btrx: Transaction</.test(head)
      if (!isPart && !/\bdurably\(|\bpassing\(/.test(body)) nameless.push(`${file}: ${head.trim()}`)
    }
  }
  t.true(writes > 20, `only ${writes} writes were found: this test does not see them any more`)
  t.deepEqual(nameless, [])
})

test('every step of the table is named at one place or more', (t) => {
  const sources = [
    ...filesBelow('src', (name) => name.endsWith('.ts')).filter((file) => !file.endsWith('durable-steps.ts')),
    'native/src/mover/steps.rs',
  ]
  const text = sources.map(read).join('\n')
  t.deepEqual(
    NAMES.filter((name) => !text.includes(`'${name}'`) && !text.includes(`"${name}"`)),
    [],
  )
})

test('the mover’s steps are those of the table', (t) => {
  const named = [...read('native/src/mover/steps.rs').matchAll(/Step::\w+ => "(move\.[a-z-]+)"/g)]
  const [, variants = ''] = /pub enum Step \{([\s\S]*?)\n\}/.exec(read('crates/mover/src/control.rs')) ?? []
  t.is(named.length, [...variants.matchAll(/^ {4}\w+,$/gm)].length)
  t.deepEqual(
    named.map(([, name = '']) => name).sort(),
    NAMES.filter((name) => name.startsWith('move.')).sort(),
  )
})
