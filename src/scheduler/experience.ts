import type { Costs, Experience } from './decide/snapshot.ts'

/** Until a move has been measured: 10 Gbit/s on the network, 1 GB/s within a machine. */
const GUESSED_BYTES_PER_SECOND = { network: 1.25e9, copy: 1e9 }
/** Smaller moves tell about round trips, not about bytes. */
const LEAST_MEASURED_BYTES = 64 * 2 ** 20
/** Weight of the newest measurement. */
const NEWEST = 0.25

/** Durations of tasks and speeds of moves, as seen in this run of the process. */
export class Experiences implements Experience {
  readonly #taskMs = new Map<string, number>()
  readonly #bytesPerSecond = new Map<'copy' | 'network', number>()

  taskMs(task: string, proofType: number): number | null {
    return this.#taskMs.get(`${proofType}:${task}`) ?? null
  }

  bytesPerSecond(tier: 'copy' | 'network'): number {
    return this.#bytesPerSecond.get(tier) ?? GUESSED_BYTES_PER_SECOND[tier]
  }

  noteTask(task: string, proofType: number, ms: number): void {
    blend(this.#taskMs, `${proofType}:${task}`, ms)
  }

  /** A move that went both ways tells nothing about either. */
  noteMoves(bytes: Pick<Costs, 'networkBytes' | 'copiedBytes'>, ms: number): void {
    if (bytes.copiedBytes === 0) this.#noteMove('network', bytes.networkBytes, ms)
    if (bytes.networkBytes === 0) this.#noteMove('copy', bytes.copiedBytes, ms)
  }

  #noteMove(tier: 'copy' | 'network', bytes: number, ms: number): void {
    if (bytes >= LEAST_MEASURED_BYTES && ms > 0) blend(this.#bytesPerSecond, tier, (bytes * 1000) / ms)
  }
}

function blend<K>(values: Map<K, number>, key: K, newest: number): void {
  const known = values.get(key)
  values.set(key, known === undefined ? newest : known + NEWEST * (newest - known))
}
