import { createHash, randomUUID } from 'node:crypto'

/** Enough of a hash that two nodes of a cluster do not take each other's leftovers for their own. */
const PREFIX_DIGITS = 12

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

  isOurs(operation: string): boolean {
    return operation.startsWith(`${this.#prefix}-`)
  }
}
