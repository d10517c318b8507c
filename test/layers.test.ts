import test from 'ava'
import { filesBelow, type Import, importsIn, read, roomsIn } from './source-files.ts'

/** The house, from roof to ground. A room may use the rooms of lower floors, and none of its own floor. */
const FLOORS: readonly (readonly string[])[] = [
  ['cli', 'bench', 'tour', 'dashboard'],
  ['api'],
  ['pipeline'],
  ['scheduler', 'worker'],
  ['sector-index', 'storage', 'proofs', 'chain'],
  ['state', 'protocol', 'native'],
  ['sectors', 'config'],
  ['base'],
]

/** Crates, likewise; `prover` is a process of its own, `faults` a test of the mover that nothing is built with. */
const CRATE_FLOORS: readonly (readonly string[])[] = [
  ['prover', 'faults'],
  ['mover', 'remote', 'space'],
  ['sys', 'unsealed'],
]

const floorOf = (floors: typeof FLOORS, room: string) => floors.findIndex((rooms) => rooms.includes(room))

const roomOf = (path: string) => path.split('/')[1] ?? ''

/** Why one import is not allowed, or null when it is. */
function objection({ from, to }: Import): string | null {
  if (!to.startsWith('src/')) return `${from} reaches outside src: ${to}`
  const [user, used] = [roomOf(from), roomOf(to)]
  if (user === used) return null
  if (user === 'dashboard') return `${from}: the dashboard knows only HTTP, not ${to}`
  if (used === 'native' && user !== 'storage' && !from.startsWith('src/api/front-door')) {
    return `${from}: only storage and api/front-door use the addon`
  }
  const [userFloor, usedFloor] = [floorOf(FLOORS, user), floorOf(FLOORS, used)]
  if (userFloor === -1 || usedFloor === -1) return `${from}: ${user} or ${used} is no room of the house`
  if (usedFloor === userFloor) return `${from}: ${user} and ${used} stand on one floor, ${to}`
  return usedFloor < userFloor ? `${from}: ${user} is below ${used}, ${to}` : null
}

/** A chain of imports that comes back to where it began, or null. */
function findCycle(imports: readonly Import[]): string[] | null {
  const uses = groupByFrom(imports)
  const finished = new Set<string>()
  const visit = (file: string, trail: string[]): string[] | null => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file]
    if (finished.has(file)) return null
    for (const each of uses.get(file) ?? []) {
      const cycle = visit(each.to, [...trail, file])
      if (cycle !== null) return cycle
    }
    finished.add(file)
    return null
  }
  for (const file of uses.keys()) {
    const cycle = visit(file, [])
    if (cycle !== null) return cycle
  }
  return null
}

function groupByFrom(imports: readonly Import[]): Map<string, Import[]> {
  const groups = new Map<string, Import[]>()
  for (const each of imports) groups.set(each.from, [...(groups.get(each.from) ?? []), each])
  return groups
}

const isTypeScript = (name: string) => name.endsWith('.ts') && !name.endsWith('.d.ts')
const imports = filesBelow('src', isTypeScript).flatMap((path) => importsIn(path, read(path)))

test('every room under src stands on a floor', (t) => {
  const homeless = roomsIn('src').filter((room) => floorOf(FLOORS, room) === -1)
  t.deepEqual(homeless, [])
  t.deepEqual(
    filesBelow('src').filter((path) => path.split('/').length === 2),
    [],
    'a file outside every room',
  )
})

test('rooms use only what is below them', (t) => {
  t.true(imports.length > 0)
  t.deepEqual(
    imports.flatMap((each) => objection(each) ?? []),
    [],
  )
})

test('no chain of imports comes back to itself', (t) => {
  t.is(findCycle(imports)?.join(' → ') ?? null, null)
})

test('crates use only crates below them, and none of them knows Node', (t) => {
  const found: string[] = []
  for (const crate of roomsIn('crates')) {
    const floor = floorOf(CRATE_FLOORS, crate)
    t.not(floor, -1, `crate ${crate} stands on no floor`)
    const manifest = read(`crates/${crate}/Cargo.toml`)
    for (const [, used = ''] of manifest.matchAll(/path\s*=\s*"\.\.\/([\w-]+)"/g)) {
      if (floorOf(CRATE_FLOORS, used) <= floor) found.push(`crates/${crate} uses ${used}`)
    }
    if (/^napi/m.test(manifest)) found.push(`crates/${crate} depends on N-API`)
    for (const path of filesBelow(`crates/${crate}`, (name) => name.endsWith('.rs'))) {
      if (/\bnapi(_derive)?::|#\[napi/.test(read(path))) found.push(`${path} names an N-API type`)
    }
  }
  t.deepEqual(found, [])
})

test('unsafe is allowed in crates/sys alone', (t) => {
  const found = filesBelow('crates', (name) => name.endsWith('.rs') || name === 'Cargo.toml')
    .filter((path) => !path.startsWith('crates/sys/'))
    .filter((path) =>
      /\bunsafe\s*\{|\bunsafe\s+fn|allow\(unsafe_code\)|unsafe_code\s*=\s*"allow"/.test(read(path)),
    )
  t.deepEqual(found, [])
})

/** What is wrong with a room's page, or null. */
function pageFault(room: string): string | null {
  const path = `${room}/README.md`
  if (!filesBelow(room, (name) => name === 'README.md').includes(path)) return `${path} is missing`
  const lines = read(path)
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
  if (lines.length < 2 || lines.length > 8) return `${path}: ${lines.length} lines; about five are wanted`
  return /\bnever\b/i.test(lines.join(' ')) ? null : `${path} does not say what the room must never do`
}

test('every room says in a few lines what it is for and what it must never do', (t) => {
  const rooms = ['src', 'crates'].flatMap((parent) => roomsIn(parent).map((room) => `${parent}/${room}`))
  t.deepEqual(
    [...rooms, 'native', 'scripts', 'test'].flatMap((room) => pageFault(room) ?? []),
    [],
  )
})

const REFUSED: readonly [string, string][] = [
  ['src/base/log.ts', "import { parseBytes } from '../sectors/x.ts'"],
  ['src/storage/a.ts', "import { b } from '../sector-index/b.ts'"],
  ['src/scheduler/a.ts', "import type { b } from '../worker/b.ts'"],
  ['src/worker/a.ts', "import { b } from '../native/mover.ts'"],
  ['src/dashboard/a.ts', "import { b } from '../protocol/b.ts'"],
  ['src/api/routes.ts', "export {\n  b,\n} from '../cli/b.ts'"],
  ['src/proofs/a.ts', "const b = await import('../storage/b.ts')"],
  ['src/cli/a.ts', "import '../../scripts/check.mjs'"],
]

test('the rules refuse what they should', (t) => {
  for (const [path, text] of REFUSED) {
    const found = importsIn(path, text)
    t.is(found.length, 1, text)
    t.not(objection(found[0]!), null, text)
  }
  const allowed = importsIn('src/api/front-door.ts', "import { door } from '../native/front-door.ts'")
  t.is(objection(allowed[0]!), null)
  const circle = [
    ...importsIn('src/base/a.ts', "import { b } from './b.ts'"),
    ...importsIn('src/base/b.ts', "import { a } from './a.ts'"),
  ]
  t.deepEqual(findCycle(circle), ['src/base/a.ts', 'src/base/b.ts', 'src/base/a.ts'])
})
