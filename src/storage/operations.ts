import { createHash, randomUUID } from 'node:crypto'

/** Enough of a hash that two nodes of a cluster do not take each other's leftovers for their own. */
const PREFIX_DIGITS = 12

const DATA = 'fetch'
const RECORD = 'offset'

/**
 * Names of this node's operations. They end temporary names (`fetching/s-t01000-7.<op>`), and say after a crash
 * whose leftover one is: on a shared path other nodes' transfers are under way beside it.
 */
export class Operations {
  readonly #prefix: string

  /** @param owner this node's name, the same over restarts */
  constructor(owner: string) {
    this.#prefix = createHash('sha256').update(owner).digest('hex').slice(0, PREFIX_DIGITS)
  }

  /** A name that was never used before: letters, digits and `-`, 49 characters. */
  next(): string {
    return `${this.#prefix}-${randomUUID()}`
  }

  /**
   * Names of a download that may be gone on from after a stop: always the same, so that it is found again. One of a
   * sector file runs at a time, and each path has its own.
   */
  resumable(sectorName: string): { readonly data: string; readonly record: string } {
    return {
      data: `${sectorName}.${this.#prefix}-${DATA}`,
      record: `${sectorName}.${this.#prefix}-${RECORD}`,
    }
  }

  /** Whether an operation of this node's is what `resumable` names, or the record beside it. */
  isResumable(operation: string): boolean {
    return [DATA, RECORD].some((name) => operation === `${this.#prefix}-${name}`)
  }

  isOurs(operation: string): boolean {
    return operation.startsWith(`${this.#prefix}-`)
  }
}
