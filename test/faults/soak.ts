import { parseArgs } from 'node:util'
import { ClusterToKill, type MortalNode } from './cluster-to-kill.ts'
import { killAnyProver } from './prover-hunt.ts'
import { SectorJourney } from './sector-journey.ts'
import { seeded } from './seeded.ts'
import { ranTwiceAtOnce } from './work-log.ts'

// Kills daemons and prover children at random while sectors are sealed, unsealed and removed.
// `npm run torture -- restart --seconds 600 --seed 7`

const SECTORS_AT_A_TIME = 3
/** Between two kills; a restart takes a second. */
const LONGEST_PAUSE_MS = 2500

const LONGEST_START_MS = 120_000

interface Toll {
  readonly kills: Map<string, number>
  sectors: number
  /** In seal paths of workers that were away when the sector was stored; gone when it was removed. */
  copiesLeft: number
  readonly lost: string[]
  readonly doubled: string[]
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '120' }, seed: { type: 'string', default: '1' } },
  })
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)]
  if (!(seconds > 0) || !Number.isInteger(seed)) {
    console.error('usage: npm run torture -- restart [--seconds N] [--seed S]')
    return 2
  }
  const cluster = await ClusterToKill.start(['w01', 'w02'])
  const toll: Toll = { kills: new Map(), sectors: 0, copiesLeft: 0, lost: [], doubled: [] }
  try {
    await soak(cluster, toll, seconds, seeded(seed))
    toll.doubled.push(...(await ranTwiceAtOnce(cluster.nodes())))
  } finally {
    await cluster.stop()
  }
  return report(cluster, toll, seed)
}

async function soak(cluster: ClusterToKill, toll: Toll, seconds: number, random: () => number) {
  const end = performance.now() + seconds * 1000
  const isOver = () => performance.now() >= end || toll.lost.length > 0
  await Promise.all([
    killing(cluster, toll, random, isOver),
    ...Array.from({ length: SECTORS_AT_A_TIME }, () => travelling(cluster, toll, isOver)),
  ])
}

async function travelling(cluster: ClusterToKill, toll: Toll, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const journey = new SectorJourney(cluster, { copiesMayStay: true })
    try {
      await journey.seal()
      await journey.prove()
      await journey.unseal()
      toll.copiesLeft += journey.copiesLeft
      await journey.remove()
      toll.sectors += 1
    } catch (error) {
      const words = (error as Error).message
      ;(/ was applied /.test(words) ? toll.doubled : toll.lost).push(words)
    }
  }
}

async function killing(cluster: ClusterToKill, toll: Toll, random: () => number, isOver: () => boolean) {
  const nodes = cluster.nodes()
  while (!isOver()) {
    await new Promise((resolve) => setTimeout(resolve, random() * LONGEST_PAUSE_MS))
    const node = nodes[Math.floor(random() * nodes.length)] as MortalNode
    // Most die at their work, some in their start: on a busy machine no daemon would ever be up otherwise.
    if (random() < 0.75) await node.healthy(LONGEST_START_MS)
    const isChild = random() < 0.25 && killAnyProver(node)
    const name = isChild ? `prover of ${node.node.name}` : node.node.name
    if (!isChild) {
      await node.kill()
      node.start()
    }
    toll.kills.set(name, (toll.kills.get(name) ?? 0) + 1)
  }
}

function report(
  cluster: ClusterToKill,
  { kills, sectors, copiesLeft, lost, doubled }: Toll,
  seed: number,
): number {
  const cycles = [...kills.values()].reduce((sum, each) => sum + each, 0)
  const who = [...kills].sort(([a], [b]) => a.localeCompare(b)).map(([name, times]) => `${name} ${times}`)
  for (const words of [...lost, ...doubled]) console.log(words)
  console.log(
    `seed ${seed}: ${cycles} cycles (${who.join(', ')}), ${sectors} sectors sealed, unsealed and removed, ` +
      `${cluster.comparedSeals} compared with an undisturbed seal, ` +
      `${lost.length} lost, ${doubled.length} doubled (${copiesLeft} copies stayed a while with workers that were away)`,
  )
  if (lost.length + doubled.length === 0) {
    void cluster.remove()
    return 0
  }
  console.log(`what was left is in ${cluster.directory}`)
  return 1
}

process.exitCode = await main()
