import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { DURABLE_STEPS } from '../../src/base/durable-steps.ts'
import { isAtRest, isFailed, SECTOR_STATES } from '../../src/pipeline/sector-state.ts'
import { ClusterToKill } from './cluster-to-kill.ts'
import { KillList, pointsOf } from './kill-list.ts'
import { LayerWatch } from './layer-watch.ts'
import { killProver } from './prover-hunt.ts'
import { seeded } from './seeded.ts'
import { travelDuring, wholeJourney } from './travel.ts'
import { ranTwiceAtOnce } from './work-log.ts'

/** Steps passed by anybody in any of these tests, without what tells their kinds apart. */
const passed = new Set<string>()
/** Target → what it was killed at: steps without their moment, tasks of the prover. */
const killedAt = new Map<string, Set<string>>()
let kills = 0
let comparedSeals = 0
let clusters = 0
let copying = 0

async function clusterOf(
  t: ExecutionContext<unknown>,
  failing: readonly string[] = [],
): Promise<ClusterToKill> {
  // Against a hang only: on a machine that is busy otherwise each death takes ten seconds instead of two.
  t.timeout(1_800_000)
  const cluster = await ClusterToKill.start(['w01'], { failing })
  t.teardown(async () => {
    await cluster.stop()
    if (!t.passed) {
      for (const node of cluster.nodes()) t.log(`${node.node.name}:\n${await lastLines(node.log)}`)
    }
    await cluster.remove()
  })
  return cluster
}

/** The sealer has most of the steps, and each of its deaths keeps everybody waiting: three clusters share them. */
const SHARES = [
  { victim: 'sealer', share: 0, of: 3 },
  { victim: 'sealer', share: 1, of: 3 },
  { victim: 'sealer', share: 2, of: 3 },
  { victim: 'w01', share: 0, of: 1 },
] as const

/** Every state that has a step fails once in each sector's life, so that its failed state is passed too. */
const FAILING = SECTOR_STATES.filter((state) => !isFailed(state) && !isAtRest(state))

for (const { victim, share, of } of SHARES) {
  test(`${victim} is killed before and after each durable step of a sector's life, and nothing is lost (${share + 1}/${of})`, async (t) => {
    const cluster = await clusterOf(t, victim === 'sealer' ? FAILING : [])
    const node = victim === 'sealer' ? cluster.sealer : cluster.worker(victim)
    const setUp = await node.passed()
    await wholeJourney(cluster)
    const life = (await node.passed()).slice(setUp.length)
    // In the order of the life, so that one sector leads from point to point; last what only the set-up passes.
    const all = pointsOf([...life, ...setUp])
    const inShare = (_: string, index: number) => Math.floor((index * of) / all.length) === share
    const points = all.filter(inShare)
    if (victim === 'sealer') t.deepEqual(statesNotSaved(all), [])
    const layers = new LayerWatch(cluster.sealPath('w01'))
    const list = new KillList(node, points, all, () => layers.look())
    const began = performance.now()
    const { journeys, result } = await travelDuring(cluster, list.run(), () => list.stop())
    await wholeJourney(cluster)
    const { done, unreached, byChance, pushed } = result
    t.log(
      `${victim}: killed at ${done.length} points (${points.length} of every sector's life, the others after an ` +
        `accident), and ${pushed} times in between; ${journeys} sectors sealed, unsealed and removed meanwhile; ` +
        `${Math.round((performance.now() - began) / 1000)} s`,
    )
    if (byChance.length > 0) t.log(`passed once and never again: ${byChance.join(', ')}`)
    t.deepEqual(unreached, [])
    await assertNothingTwice(t, cluster, layers)
    await note(cluster, victim === 'sealer' ? 'sealer' : 'worker', done)
  })
}

/** A sector passes every state there is; in its first one it is created. */
function statesNotSaved(points: readonly string[]): string[] {
  const saved = SECTOR_STATES.flatMap((state) => [
    `before:sector.saved/${state}`,
    `after:sector.saved/${state}`,
  ])
  return saved.filter((point) => !points.includes(point))
}

const PROVER_TASKS = ['AP', 'PC1', 'PC2', 'C1', 'FIN', 'UNS'] as const
const ROUNDS = 3

test('the prover child is killed in each task, and nothing is lost', async (t) => {
  const cluster = await clusterOf(t)
  const layers = new LayerWatch(cluster.sealPath('w01'))
  const random = seeded(4)
  const hunt = async () => {
    let killed = 0
    for (const task of PROVER_TASKS) {
      for (let round = 0; round < ROUNDS; round++) {
        await killProver(cluster.worker('w01'), task, random)
        await layers.look()
        killed += 1
      }
    }
    return killed
  }
  const { journeys, result: killed } = await travelDuring(cluster, hunt(), () => undefined)
  await wholeJourney(cluster)
  t.log(
    `the prover was killed ${killed} times in ${PROVER_TASKS.length} tasks; ${journeys} sectors sealed, unsealed and removed meanwhile`,
  )
  await assertNothingTwice(t, cluster, layers)
  await note(cluster, 'prover', [])
  killedAt.set('prover', new Set(PROVER_TASKS))
  kills += killed
})

test.after('every step of the table was passed, and no other', (t) => {
  // With --match only some of the tests run.
  if (clusters <= SHARES.length) return
  const names = Object.keys(DURABLE_STEPS)
  const isCopying = (name: string) => /^move\.(temp-|file-synced)/.test(name)
  const never = names.filter((name) => !passed.has(name))
  // A machine with one filesystem moves by renaming alone.
  t.deepEqual(
    never.filter((name) => copying > 0 || !isCopying(name)),
    [],
  )
  t.deepEqual(
    [...passed].filter((name) => !names.includes(name)),
    [],
  )
  // Hooks of this kind run when all tests have passed.
  const targets = [...killedAt].map(([target, points]) => `${target} ${points.size}`).sort()
  const transitions = [...killedAt.values()].reduce((sum, points) => sum + points.size, 0)
  console.log(
    `kill matrix: ${transitions} transitions × ${targets.length} targets (${targets.join(', ')}), all green: ` +
      `${kills} kills, ${comparedSeals} sectors compared with an undisturbed seal`,
  )
})

async function assertNothingTwice(
  t: ExecutionContext<unknown>,
  cluster: ClusterToKill,
  layers: LayerWatch,
): Promise<void> {
  t.deepEqual(await ranTwiceAtOnce(cluster.nodes()), [])
  t.deepEqual(layers.madeAgain, [], 'PC1 is not repeated where its layers are whole')
}

async function note(cluster: ClusterToKill, target: string, points: readonly string[]): Promise<void> {
  clusters += 1
  comparedSeals += cluster.comparedSeals
  kills += points.length
  const known = killedAt.get(target) ?? new Set()
  for (const point of points) known.add(point.replace(/^\w+:/, ''))
  killedAt.set(target, known)
  if (cluster.copies) copying += 1
  for (const node of cluster.nodes()) {
    for (const point of await node.passed()) passed.add(point.replace(/^\w+:|\/.*$/g, ''))
  }
}

async function lastLines(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).split('\n').slice(-40).join('\n')
}
