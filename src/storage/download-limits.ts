import PQueue from 'p-queue'
import { FetchLimits } from '../native/fetch.ts'
import type { FetchLimitsNow } from '../protocol/types.ts'
import { storageError } from './errors.ts'
import type { StorageSettings } from './parts.ts'

/** How many downloads this node runs at a time, and how much they may receive. Adjustable while they run. */
export class DownloadLimits {
  readonly #queue: PQueue
  readonly #now: { bytesPerSecond: number; bytesPerSecondPerPeer: number }
  /** What each download is given. */
  readonly shared = new FetchLimits()

  constructor(settings: StorageSettings) {
    this.#queue = new PQueue({ concurrency: settings.parallelFetchLimit })
    this.#now = { bytesPerSecond: 0, bytesPerSecondPerPeer: 0 }
    this.set({
      fetches: settings.parallelFetchLimit,
      bytesPerSecond: settings.fetchRate ?? 0,
      bytesPerSecondPerPeer: settings.fetchRatePerPeer ?? 0,
    })
  }

  /** Waits for a turn. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#queue.add(work, { signal })
  }

  now(): FetchLimitsNow {
    return { fetches: this.#queue.concurrency, ...this.#now }
  }

  /**
   * More downloads begin at once; fewer begin as the running ones end. Rates change at once.
   * @throws StorageError BAD_LIMIT for less than one download, or what is no number of bytes
   */
  set({ fetches, bytesPerSecond, bytesPerSecondPerPeer }: FetchLimitsNow): void {
    const rates = [bytesPerSecond, bytesPerSecondPerPeer]
    if (!Number.isSafeInteger(fetches) || fetches < 1) {
      throw badLimit(`${fetches} downloads at a time: it must be a whole number, at least 1`)
    }
    if (!rates.every((rate) => Number.isSafeInteger(rate) && rate >= 0)) {
      throw badLimit(`${rates.join(' and ')} bytes per second: it must be whole bytes, 0 for no limit`)
    }
    this.#queue.concurrency = fetches
    this.#now.bytesPerSecond = bytesPerSecond
    this.#now.bytesPerSecondPerPeer = bytesPerSecondPerPeer
    this.shared.set({
      bytesPerSecond: bytesPerSecond || null,
      bytesPerSecondPerPeer: bytesPerSecondPerPeer || null,
    })
  }
}

function badLimit(message: string) {
  return storageError({ code: 'BAD_LIMIT', level: 'permanent', message })
}
