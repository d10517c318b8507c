import { appendFile } from 'node:fs/promises'
import { eventually, type MortalNode } from './cluster-to-kill.ts'

// Times count from when the daemon answers: on a busy machine its start alone takes seconds.

/** A daemon that passes nothing for so long waits for something that only another start will put right. */
const QUIET_MS = 5000
/** A sector's whole life takes 2 s, on a busy machine 10. */
const LONGEST_LIFE_MS = 30_000
/** What an accident leads to comes soon after it. */
const LONGEST_SEQUEL_MS = 6000
/** A daemon that does not answer by then never will. */
const LONGEST_START_MS = 120_000
const LOOK_MS = 250
/** Passed with every heartbeat, whatever happens otherwise. */
const HEARTBEAT = /:space\.landed$/
/** Lives in which a point must be passed, when every sector's life passes it. */
const MOST_LIVES = 8
/** The same for a point that only an accident leads to: by and by others may come first. */
const MOST_ACCIDENTS = 3

interface Point {
  /** `after:work.done` */
  readonly name: string
  /** What the daemon had died of when it first came by: dying of that again leads there again. Null: any life does. */
  readonly afterDeathAt: string | null
}

export interface KillReport {
  /** Points at which the daemon died, in order. */
  readonly done: string[]
  /** Points of an undisturbed life that it did not pass; there should be none. */
  readonly unreached: string[]
  /** Points that it passed once, after an accident that did not happen again. */
  readonly byChance: string[]
  /** Times that it was killed from outside to get on. */
  readonly pushed: number
}

/**
 * Kills one daemon at one point after the other: as soon as it is dead it is started again, armed with the next one.
 * Points that it passes only now (a task's failure, what a start puts right) join the list.
 */
export class KillList {
  readonly #node: MortalNode
  readonly #onDeath: () => Promise<void>
  readonly #known: Set<string>
  readonly #waiting: Point[]
  readonly #report = { done: [] as string[], unreached: [] as string[], byChance: [] as string[], pushed: 0 }
  /** Of the last life and of the one before. */
  #deaths: [string, string] = ['', '']
  #linesRead = 0
  #isStopped = false

  /**
   * @param points in the order of a sector's life
   * @param others that are seen to elsewhere
   * @param onDeath looks at what the dead daemon has left
   */
  constructor(
    node: MortalNode,
    points: readonly string[],
    others: readonly string[],
    onDeath: () => Promise<void>,
  ) {
    this.#node = node
    this.#onDeath = onDeath
    this.#waiting = points.map((name) => ({ name, afterDeathAt: null }))
    this.#known = new Set([...points, ...others])
  }

  /** Comes back when each point was tried; the daemon then runs, with nothing asked of it. */
  async run(): Promise<KillReport> {
    const node = this.#node
    await node.kill()
    this.#linesRead = (await node.passed()).length
    while (!this.#isStopped) {
      const point = this.#waiting.shift()
      if (point === undefined) break
      await this.#tryPoint(point)
    }
    node.start()
    await node.healthy()
    return this.#report
  }

  /** Ends it after the death that it waits for. */
  stop(): void {
    this.#isStopped = true
  }

  async #tryPoint({ name, afterDeathAt }: Point): Promise<void> {
    const { done, unreached, byChance } = this.#report
    const lives = afterDeathAt === null ? MOST_LIVES : MOST_ACCIDENTS
    for (let life = 0; life < lives && !this.#isStopped; life++) {
      if (afterDeathAt) await this.#live(afterDeathAt, LONGEST_LIFE_MS)
      if (await this.#live(name, afterDeathAt === null ? LONGEST_LIFE_MS : LONGEST_SEQUEL_MS)) {
        done.push(name)
        return
      }
    }
    if (!this.#isStopped) (afterDeathAt === null ? unreached : byChance).push(name)
  }

  /** One life, armed with a point. @returns whether it died there */
  async #live(point: string, longestMs: number): Promise<boolean> {
    const node = this.#node
    node.start(point)
    const how = await this.#deathOf(node, longestMs)
    if (how !== 'SIGKILL') throw new Error(`${node.node.name}, to be killed ${point}, ended with ${how}`)
    await this.#onDeath()
    const lines = (await node.passed()).slice(this.#linesRead)
    this.#linesRead += lines.length
    const isHit = lines.at(-1) === point
    await appendFile(`${node.log}.kills`, `${new Date().toISOString()} ${point} ${isHit ? '' : 'missed'}\n`)
    this.#deaths = [isHit ? point : '', this.#deaths[0]]
    this.#learn(lines)
    return isHit
  }

  /** Comes back when it is dead, by itself or because nothing happens any more. */
  async #deathOf(node: MortalNode, longestMs: number): Promise<string> {
    let how: string | null = null
    const died = node.died.then((signal) => {
      how = signal
    })
    const isDead = () => how !== null
    await eventually(`${node.node.name} answers, or dies`, LONGEST_START_MS, async () => {
      return isDead() || (await node.answers())
    })
    const born = performance.now()
    let lastSteps = -1
    let lastStepAt = born
    while (how === null) {
      await Promise.race([died, new Promise((resolve) => setTimeout(resolve, LOOK_MS))])
      const steps = (await node.passed()).filter((line) => !HEARTBEAT.test(line)).length
      const now = performance.now()
      if (steps !== lastSteps) lastStepAt = now
      lastSteps = steps
      if (how === null && (now - lastStepAt > QUIET_MS || now - born > longestMs)) {
        this.#report.pushed += 1
        await node.kill()
      }
    }
    return how
  }

  #learn(lines: readonly string[]): void {
    for (const name of lines) {
      if (this.#known.has(name)) continue
      this.#known.add(name)
      this.#waiting.push({ name, afterDeathAt: this.#deaths[1] })
    }
  }
}

/** Every point of a steps log once, in order of its first passage. */
export function pointsOf(lines: readonly string[]): string[] {
  return [...new Set(lines)]
}
