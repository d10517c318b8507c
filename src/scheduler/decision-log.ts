import type { Decision } from '../protocol/types.ts'

const KEPT = 256

/** The latest decision on each of the latest requests. */
export class DecisionLog {
  readonly #byRequest = new Map<string, Decision>()

  note(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      const known = this.#byRequest.get(decision.request)
      // A request that waits is looked at again and again: its place stays, its reasons are the newest.
      if (known !== undefined && decision.chosen !== null) this.#byRequest.delete(decision.request)
      this.#byRequest.set(decision.request, decision)
    }
    for (const request of this.#byRequest.keys()) {
      if (this.#byRequest.size <= KEPT) break
      this.#byRequest.delete(request)
    }
  }

  /** Newest last. */
  list(): Decision[] {
    return [...this.#byRequest.values()]
  }
}
