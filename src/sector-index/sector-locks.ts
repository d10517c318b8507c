import type { SectorLocks } from '../protocol/types.ts'
import { FILE_TYPES, type FileTypeBits } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'

interface Locked {
  readonly sector: SectorId
  /** By position of the type's bit. */
  readonly readers: number[]
  readonly writers: number[]
  readonly waiting: Waiter[]
}

interface Waiter {
  readonly read: FileTypeBits
  readonly write: FileTypeBits
  readonly grant: () => void
}

/**
 * Read and write locks per sector and file type, all of a request or none (lotus-compat 3.5).
 * A write needs the type to be free, a read needs no writer; other types do not matter.
 * Who waits is served in order of arrival among those it conflicts with, so that a writer is not starved by
 * readers. So a holder must not ask again for a type it holds: it would wait for itself.
 */
export class SectorLockTable {
  readonly #sectors = new Map<string, Locked>()

  /** @returns the release function, or null when somebody holds or awaits what conflicts */
  tryHold(sector: SectorId, read: FileTypeBits, write: FileTypeBits): (() => void) | null {
    const locked = this.#of(sector)
    if (!isFree(locked, read, write) || locked.waiting.some((other) => conflict(other, { read, write }))) {
      this.#forget(locked)
      return null
    }
    return this.#take(locked, read, write)
  }

  /**
   * Waits for the locks.
   * @returns the release function; calling it twice is harmless
   * @throws the signal's reason when it fires first; nothing is held then
   */
  hold(sector: SectorId, read: FileTypeBits, write: FileTypeBits, signal?: AbortSignal): Promise<() => void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const release = this.tryHold(sector, read, write)
    if (release !== null) return Promise.resolve(release)
    const locked = this.#of(sector)
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        locked.waiting.splice(locked.waiting.indexOf(waiter), 1)
        this.#serve(locked)
        reject(signal?.reason)
      }
      const grant = () => {
        signal?.removeEventListener('abort', giveUp)
        resolve(this.#take(locked, read, write))
      }
      const waiter: Waiter = { read, write, grant }
      locked.waiting.push(waiter)
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  /** What is held now, as `StorageGetLocks` answers. */
  list(): SectorLocks {
    const held = [...this.#sectors.values()].filter((locked) => !isFree(locked, 0, 63))
    return {
      Locks: held.map(({ sector, readers, writers }) => ({
        Sector: sector,
        Write: [...writers],
        Read: [...readers],
      })),
    }
  }

  #of(sector: SectorId): Locked {
    const name = sectorName(sector)
    const known = this.#sectors.get(name)
    if (known !== undefined) return known
    const none = () => FILE_TYPES.map(() => 0)
    const locked = { sector, readers: none(), writers: none(), waiting: [] }
    this.#sectors.set(name, locked)
    return locked
  }

  #take(locked: Locked, read: FileTypeBits, write: FileTypeBits): () => void {
    count(locked, read, write, 1)
    let held = true
    return () => {
      if (!held) return
      held = false
      count(locked, read, write, -1)
      this.#serve(locked)
    }
  }

  #serve(locked: Locked): void {
    const passedOver: Waiter[] = []
    for (const waiter of [...locked.waiting]) {
      const mustWait =
        !isFree(locked, waiter.read, waiter.write) || passedOver.some((other) => conflict(other, waiter))
      if (mustWait) {
        passedOver.push(waiter)
      } else {
        locked.waiting.splice(locked.waiting.indexOf(waiter), 1)
        waiter.grant()
      }
    }
    this.#forget(locked)
  }

  #forget(locked: Locked): void {
    if (locked.waiting.length === 0 && isFree(locked, 0, 63)) this.#sectors.delete(sectorName(locked.sector))
  }
}

function isFree(locked: Locked, read: FileTypeBits, write: FileTypeBits): boolean {
  return FILE_TYPES.every((_, position) => {
    const bit = 1 << position
    const readers = locked.readers[position] ?? 0
    const writers = locked.writers[position] ?? 0
    if ((write & bit) !== 0 && readers + writers > 0) return false
    return (read & bit) === 0 || writers === 0
  })
}

function conflict(a: Pick<Waiter, 'read' | 'write'>, b: Pick<Waiter, 'read' | 'write'>): boolean {
  return (a.write & (b.read | b.write)) !== 0 || (b.write & (a.read | a.write)) !== 0
}

function count(locked: Locked, read: FileTypeBits, write: FileTypeBits, by: 1 | -1): void {
  FILE_TYPES.forEach((_, position) => {
    const bit = 1 << position
    if ((write & bit) !== 0) locked.writers[position] = (locked.writers[position] ?? 0) + by
    // A type that is asked for both ways is only written: a reader of one's own would block one's writing.
    else if ((read & bit) !== 0) locked.readers[position] = (locked.readers[position] ?? 0) + by
  })
}
