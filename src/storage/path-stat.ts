import type { FsStat } from '../protocol/types.ts'

export interface StatInput {
  readonly capacityBytes: number
  /** Free for us, as statvfs says. */
  readonly availableBytes: number
  /** Reservations on this path: the field's number, and what has landed of it already. */
  readonly reserved: readonly { readonly reportedBytes: number; readonly onDiskBytes: number }[]
  /** The operator's quota, 0 for none. */
  readonly maxBytes: number
  /** Disk use of the whole path; only looked at when there is a quota. */
  readonly usedBytes: number
}

/**
 * A path's space as the field reports it (lotus-compat 4.1): what has landed, under the temporary name too,
 * is no longer reserved, so bytes in flight are counted once.
 */
export function pathStat(input: StatInput): FsStat {
  const reserved = input.reserved.reduce(
    (sum, each) => sum + Math.max(0, each.reportedBytes - each.onDiskBytes),
    0,
  )
  const free = Math.max(0, input.availableBytes - reserved)
  const quota = Math.max(0, input.maxBytes - input.usedBytes)
  return {
    Capacity: input.capacityBytes,
    Available: input.maxBytes > 0 ? Math.min(free, quota) : free,
    FSAvailable: input.availableBytes,
    Reserved: reserved,
    Max: input.maxBytes,
    Used: input.maxBytes > 0 ? input.usedBytes : 0,
  }
}
