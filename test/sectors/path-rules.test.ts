import test from 'ava'
import {
  allowedGroups,
  allowsAnyType,
  allowsMiner,
  allowsType,
  isInGroups,
  refusingRule,
} from '../../src/sectors/path-rules.ts'

/** [allowed, denied, may sealed be placed] */
const TYPES: readonly [string, string[], string[], boolean][] = [
  ['no filter', [], [], true],
  ['an allow list that names it', ['sealed', 'cache'], [], true],
  ['a deny list that names it', [], ['sealed'], false],
  ['both lists naming it', ['sealed'], ['sealed'], false],
  ['an allow list without it', ['cache'], [], false],
  ['a deny list without it', [], ['cache'], true],
  ['an allow list of unknown words only', ['nonsense'], [], true],
]

for (const [title, AllowTypes, DenyTypes, may] of TYPES) {
  test(`${title} ${may ? 'allows' : 'denies'} a type`, (t) => {
    t.is(allowsType({ AllowTypes, DenyTypes }, 'sealed'), may)
  })
}

test('of several types one allowed is enough; a single denied type is not', (t) => {
  t.true(allowsAnyType({ AllowTypes: ['cache'], DenyTypes: [] }, 6))
  t.false(allowsAnyType({ AllowTypes: [], DenyTypes: ['sealed'] }, 2))
})

/** [allowed, denied, may miner 1005] */
const MINERS: readonly [string, string[], string[], boolean][] = [
  ['no filter', [], [], true],
  ['its mainnet address allowed', ['f01005'], [], true],
  ['its testnet address allowed', ['t01005'], [], true],
  ['another miner allowed', ['t01000'], [], false],
  ['itself denied', [], ['t01005'], false],
  ['itself allowed and denied', ['t01005'], ['f01005'], false],
]

for (const [title, AllowMiners, DenyMiners, may] of MINERS) {
  test(`a miner with ${title} ${may ? 'may' : 'may not'}`, (t) => {
    t.is(allowsMiner({ AllowMiners, DenyMiners }, 1005), may)
  })
}

test('files may go to the groups of all holders, and anywhere when one holder names none', (t) => {
  const groups = allowedGroups([{ AllowTo: ['a'] }, { AllowTo: ['b', 'c'] }])
  t.deepEqual([...(groups ?? [])], ['a', 'b', 'c'])
  t.is(allowedGroups([{ AllowTo: ['a'] }, { AllowTo: [] }]), null)
  t.is(allowedGroups([]), null)
  t.true(isInGroups({ Groups: ['x', 'b'] }, groups))
  t.false(isInGroups({ Groups: [] }, groups))
  t.true(isInGroups({ Groups: [] }, null))
})

test('names the rule that keeps a file off a path, as its metafile has it', (t) => {
  const open = { Groups: [], AllowTo: [], AllowTypes: [], DenyTypes: [], AllowMiners: [], DenyMiners: [] }
  const cases: [Record<string, string[]>, string][] = [
    [{}, ''],
    [{ DenyMiners: ['f01005'] }, 'DenyMiners is f01005'],
    [{ AllowMiners: ['f01', 'f02'] }, 'AllowMiners is f01, f02'],
    [{ AllowMiners: ['f01005'], DenyMiners: ['t01005'] }, 'DenyMiners is t01005'],
    [{ DenyTypes: ['sealed', 'cache'] }, 'DenyTypes is sealed, cache'],
    [{ AllowTypes: ['cache'] }, 'AllowTypes is cache'],
  ]
  for (const [rules, words] of cases) t.is(refusingRule({ ...open, ...rules }, 1005, 'sealed'), words)
})
