import { SealyardError } from '../base/errors.ts'
import type { SealerApi } from '../protocol/apis.ts'
import type { SectorStatus, Transfer } from '../protocol/types.ts'
import { type Cluster, sealerOf, workerOf } from './cluster.ts'
import { amount, say } from './say.ts'

interface Source {
  readonly name: string
  readonly transfers: () => Promise<Transfer[]>
}

const POLL_MS = 40
/** Longest time without news; C2 alone, where its parameters are here, takes minutes. */
const LIMIT_MS = 120_000
const PROVING_LIMIT_MS = 1_800_000
/** A step that failed so often fails for a reason that waiting does not mend. */
const FAILURES = 3
const LONG_PROOF_MS = 3_000

/** Follows a sector and tells each step and each move as it is done. */
export class SectorWatch {
  readonly #number: number
  readonly #sealer: SealerApi
  readonly #sources: readonly Source[]
  readonly #toldTransfers = new Set<string>()
  #toldEvents = 0
  #networkBytes = 0
  #lastStepAt = performance.now()
  #saidLongProof = false

  private constructor(number: number, sealer: SealerApi, sources: readonly Source[]) {
    this.#number = number
    this.#sealer = sealer
    this.#sources = sources
  }

  static async begin(cluster: Cluster, number: number): Promise<SectorWatch> {
    const sealer = await sealerOf(cluster)
    const workers = await Promise.all(
      cluster.workers.map(async (node) => {
        const worker = await workerOf(node)
        return { name: node.name, transfers: () => worker.Transfers() }
      }),
    )
    return new SectorWatch(number, sealer, [
      { name: 'sealer', transfers: () => sealer.Transfers() },
      ...workers,
    ])
  }

  /** Waits for a state. @throws SealyardError when it fails again and again, or nothing ends for two minutes, C2 excepted */
  async until(state: string): Promise<SectorStatus> {
    this.#lastStepAt = performance.now()
    for (;;) {
      const status = await this.#sealer.SectorsStatus(this.#number, false)
      await this.sayTransfers()
      this.#sayEvents(status)
      if (status.State === state) return status
      this.#sayLongProof(status)
      if (status.Log.filter((event) => event.Kind === 'error').length >= FAILURES) throw this.#failing(status)
      const limitMs = status.State === 'Committing' ? PROVING_LIMIT_MS : LIMIT_MS
      if (performance.now() - this.#lastStepAt > limitMs) throw this.#late(status)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** C1 ends at once; what is silent in this state is C2, which some host has parameters for. */
  #sayLongProof(status: SectorStatus): void {
    const isLong = status.State === 'Committing' && performance.now() - this.#lastStepAt > LONG_PROOF_MS
    if (!isLong || this.#saidLongProof) return
    this.#saidLongProof = true
    say('C2       a worker has its parameters and proves: about two minutes of processor time')
  }

  #sayEvents(status: SectorStatus): void {
    for (const event of status.Log.slice(this.#toldEvents)) {
      const seconds = (performance.now() - this.#lastStepAt) / 1000
      say(`${event.Kind.padEnd(8)} ${event.Message} (${seconds.toFixed(2)} s)`)
      this.#lastStepAt = performance.now()
    }
    this.#toldEvents = status.Log.length
  }

  /** Tells moves and fetches that ended since last time. */
  async sayTransfers(): Promise<void> {
    for (const source of this.#sources) {
      for (const each of await source.transfers()) {
        if (
          each.state === 'running' ||
          this.#toldTransfers.has(each.id) ||
          each.sector.Number !== this.#number
        )
          continue
        this.#toldTransfers.add(each.id)
        this.#say(source.name, each)
      }
    }
  }

  #say(node: string, each: Transfer): void {
    if (each.method === 'network') this.#networkBytes += each.bytes
    const how =
      each.state === 'failed'
        ? `failed: ${each.error}`
        : `by ${each.method}, ${amount(each.bytes, each.seconds)}`
    say(`move     ${node}: ${each.from} -> ${each.to} ${how}`)
  }

  sayTotals(): void {
    say(`${this.#toldTransfers.size} sector files moved, ${this.#networkBytes} bytes over the network`)
  }

  #failing(status: SectorStatus): SealyardError {
    return new SealyardError({
      code: 'SECTOR_FAILS',
      level: 'permanent',
      message: `sector ${this.#number} failed ${FAILURES} times, and stands in ${status.State}: ${status.LastErr}`,
    })
  }

  #late(status: SectorStatus): SealyardError {
    const why = status.LastErr === '' ? '' : `: ${status.LastErr}`
    return new SealyardError({
      code: 'SECTOR_LATE',
      level: 'permanent',
      message: `sector ${this.#number} stands in ${status.State}, and nothing has ended for a while${why}`,
    })
  }
}
