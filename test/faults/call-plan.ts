import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ClusterToKill, eventually, type MortalNode } from './cluster-to-kill.ts'
import { SectorJourney } from './sector-journey.ts'
import { seeded } from './seeded.ts'

export const FAULTS = ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'ESTALE', 'EINTR', 'short', 'SIGKILL'] as const

export interface PlannedFault {
  /** So many calls of moving threads after the fault before. */
  readonly calls: number
  readonly fault: (typeof FAULTS)[number]
}

/** A sector's two moves make some 400 calls; a fault that many after the last one is still in the middle of them. */
const FURTHEST = 120

/** As many faults as are wanted, all kinds of them in turn, at random calls. */
export function drawPlan(points: number, seed: number): PlannedFault[] {
  const random = seeded(seed)
  return Array.from({ length: points }, (_, index) => ({
    calls: 1 + Math.floor(random() * FURTHEST),
    fault: FAULTS[index % FAULTS.length] as PlannedFault['fault'],
  }))
}

/** A line of the supervisor's log. */
interface LoggedCall {
  readonly call: string
  readonly path: string
  readonly fault: string | null
}

/** The threads of the addon that bring a file to its target, remove its source and end the move in the journal. */
const THREADS = 'sealyard-move,sealyard-source,sealyard-done'

/** A worker whose moving threads meet one fault after the other while it seals sector after sector. */
export class CallPlan {
  readonly #cluster: ClusterToKill
  readonly #worker: MortalNode
  readonly #program: string
  readonly #log: string
  #left: readonly PlannedFault[]
  readonly #sectors: SectorJourney[] = []
  #isOver = false

  constructor(cluster: ClusterToKill, worker: string, program: string, plan: readonly PlannedFault[]) {
    this.#cluster = cluster
    this.#worker = cluster.worker(worker)
    this.#program = program
    this.#left = plan
    this.#log = join(cluster.directory, 'calls.log')
  }

  async calls(): Promise<LoggedCall[]> {
    const text = await readFile(this.#log, 'utf8').catch(() => '')
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LoggedCall)
  }

  /** Calls that met a fault. */
  async met(): Promise<LoggedCall[]> {
    return (await this.calls()).filter(({ fault }) => fault !== null)
  }

  /** What was done, in one line. */
  async line(): Promise<string> {
    const met = await this.met()
    const names = [...new Set(met.map(({ call }) => call))].sort()
    return (
      `${met.length} faults met the worker's moving threads (in ${names.join(', ')}), of ` +
      `${(await this.calls()).length} calls, while ${this.#sectors.length} sectors were sealed and stored`
    )
  }

  /** Seals sectors until each fault of the plan was met, starting the worker again whenever it dies. */
  async run(): Promise<void> {
    const planned = this.#left.length
    await this.#worker.kill()
    const living = this.#live()
    try {
      while ((await this.met()).length < planned) {
        const journey = new SectorJourney(this.#cluster, { copiesMayStay: true, privateMayStay: true })
        await journey.seal()
        this.#sectors.push(journey)
      }
    } finally {
      this.#isOver = true
    }
    await this.#worker.kill()
    await living
    this.#worker.start()
    await this.#worker.healthy()
    await this.#assertTidy()
  }

  /** Once the worker has started undisturbed no private file is left, and each sector is what was put in. */
  async #assertTidy(): Promise<void> {
    let left: string[] = []
    await eventually('the start has cleared away what moves had left', 20_000, async () => {
      left = await this.#cluster.unfinished()
      return left.length === 0
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${left.join(', ')}`)
    })
    for (const journey of this.#sectors) await journey.unseal()
  }

  async #live(): Promise<void> {
    while (!this.#isOver) {
      const before = (await this.met()).length
      const plan = this.#left.map(({ calls, fault }) => `${calls}:${fault}`).join(',')
      const supervisor = [this.#program, 'supervise', '--threads', THREADS, '--log', this.#log]
      this.#worker.start('', [...supervisor, '--plan', plan, '--'])
      await this.#worker.died
      this.#left = this.#left.slice((await this.met()).length - before)
    }
  }
}

/** What the worker's log says of moves that nobody but a person can end. */
export async function alarms(node: MortalNode): Promise<string[]> {
  let lines: string[] = []
  await eventually('the log is read', 5000, async () => {
    lines = (await readFile(node.log, 'utf8')).split('\n')
    return true
  })
  return lines.filter((line) => line.includes('an interrupted move is not certain'))
}
