import test from 'ava'
import { type FileView, planMoves, type TargetView } from '../../src/storage/move-plan.ts'

const SECTOR_SIZE = 2048

function file(type: FileView['type'], ...holders: FileView['holders']): FileView {
  return { type, bytes: 4096, holders }
}

function target(pathId: string, rest: Partial<TargetView> = {}): TargetView {
  return { pathId, weight: 10, hasQuota: false, tierFrom: { seal: 'rename' }, ...rest }
}

const seal = { pathId: 'seal', canStore: false }
const store = { pathId: 'store', canStore: true }

test('moves a file by rename without asking for space', (t) => {
  const plan = planMoves(SECTOR_SIZE, [file('sealed', seal)], () => [target('store')])
  t.deepEqual(plan.moves, [
    { type: 'sealed', fromId: 'seal', toId: 'store', tier: 'rename', neededBytes: 0, reportedBytes: 0 },
  ])
})

test('reserves what a copy really takes, and reports what the field reports', (t) => {
  const plan = planMoves(SECTOR_SIZE, [file('cache', seal)], () => [
    target('store', { tierFrom: { seal: 'copy' } }),
  ])
  t.is(plan.moves[0]?.neededBytes, 4096)
  t.is(plan.moves[0]?.reportedBytes, 204)
})

test('counts a rename against the quota of its target', (t) => {
  const plan = planMoves(SECTOR_SIZE, [file('sealed', seal)], () => [target('store', { hasQuota: true })])
  t.is(plan.moves[0]?.neededBytes, 4096)
})

test('skips what is in the store already, though no path has room', (t) => {
  const plan = planMoves(SECTOR_SIZE, [file('sealed', seal, store)], () => [])
  t.deepEqual(plan, { moves: [], stored: [{ type: 'sealed', pathId: 'store' }], missing: [], homeless: [] })
})

test('names what is missing and what no store path takes', (t) => {
  const plan = planMoves(SECTOR_SIZE, [file('sealed'), file('cache', seal)], () => [])
  t.deepEqual(plan.missing, ['sealed'])
  t.deepEqual(plan.homeless, ['cache'])
})

test('puts the weight that the operator gave before the tier, and the tier before the order of the index', (t) => {
  const choose = (...targets: TargetView[]) =>
    planMoves(SECTOR_SIZE, [file('sealed', seal)], () => targets).moves[0]?.toId
  const far = { tierFrom: { seal: 'copy' as const } }
  t.is(choose(target('a', far), target('b')), 'b')
  t.is(choose(target('a', { ...far, weight: 20 }), target('b')), 'a')
  t.is(choose(target('a'), target('b')), 'a')
})

test('takes the file from the holder that is cheapest to reach', (t) => {
  const other = { pathId: 'other', canStore: false }
  const plan = planMoves(SECTOR_SIZE, [file('sealed', other, seal)], () => [
    target('store', { tierFrom: { other: 'copy', seal: 'clone' } }),
  ])
  t.is(plan.moves[0]?.fromId, 'seal')
  t.is(plan.moves[0]?.tier, 'clone')
})
