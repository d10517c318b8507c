import { addon } from './addon.ts'
import { orThrow, translated } from './errors.ts'
import type * as Addon from './exports.d.ts'

/** How the bytes came to the target, cheapest first. */
export type TransferMethod = 'in-place' | 'rename' | 'clone' | 'copy'

/** A sector file: a storage path on this machine, and a name such as `sealed/s-t01000-7` below it. */
export interface SectorFilePlace {
  root: string
  name: string
}

export interface TransferRequest {
  /** Unique for ever, also over restarts; letters, digits, `-` and `_`, at most 64. */
  op: string
  source: SectorFilePlace
  target: SectorFilePlace
  /** True copies: the source stays, and `removeSource()` is refused. */
  keepSource: boolean
  /** Hash while copying and compare with what the target's disk holds. */
  verify: boolean
  /** Comes back from `recover()`: what the caller needs to know about a move it no longer remembers. */
  tag: string
  /** For tests and benchmarks: only this method, NOT_HERE where it does not work. */
  only?: 'rename' | 'clone' | 'copy'
  /** Taken of what is copied, and told in the result; a rename or clone reads nothing. `off` when absent. */
  hash?: CopyHash
  /** Leaves holes where the source has long runs of zeros. */
  skipZeros?: boolean
}

/** A hash of the content that does not depend on where the holes are. */
export type CopyHash = 'off' | 'xxh3' | 'blake3'

/**
 * How data is copied: past the page cache (io_uring, O_DIRECT), through it without staying (RWF_DONTCACHE), or
 * through it, dropping behind what was not there before.
 */
export type CopyEngine = 'direct' | 'uncached' | 'buffered'

export interface MoverOptions {
  /** `auto`: what suits each file. Another one is taken where it works, `buffered` elsewhere. */
  copyEngine: 'auto' | CopyEngine
}

/** The hash of a file that was copied. */
export interface FileHash {
  /** In a directory; empty for a sector file that is one file. */
  name: string
  bytes: number
  /** `blake3:…` or `xxh3:…` */
  hash: string
}

/** The target is complete, verified and durable under its final name. */
export interface Durable {
  method: TransferMethod
  /** Length of all files. */
  bytes: number
  /** What the target takes on its disk. */
  allocatedBytes: number
  /** How data was copied (of a directory: its largest file); null where nothing was. */
  engine: CopyEngine | null
  /** Bytes read by us from the source: 0 for a rename or clone, holes not counted. */
  copiedBytes: number
  /** Bytes written: fewer where zeros became holes. */
  writtenBytes: number
  /** Bytes read again from the target's disk, to compare them. */
  readBackBytes: number
  /** Of the files that were copied, where a hash was asked for. */
  hashes: FileHash[]
  seconds: number
  files: number
  /** True after a rename: nothing is left for `removeSource()` to do. */
  sourceGone: boolean
}

export interface TransferProgress {
  bytes: number
  /** 0 until the source was measured. */
  total: number
}

/** A move that a stop interrupted, and what is left to do for the caller. */
export interface Recovered {
  op: string
  tag: string
  source: SectorFilePlace
  target: SectorFilePlace
  keepSource: boolean
  /**
   * - `discarded`: the target was not made, the source is intact; the move may be asked for again.
   * - `target-durable`: declare the target, then `removeSource(op)` (unless keepSource), drop the source, `done(op)`.
   * - `source-removed`: drop the source from the index, then `done(op)`.
   * - `alarm`: not certain, so nothing was touched; `reason` says why. `done(op)` forgets it.
   */
  state: 'discarded' | 'target-durable' | 'source-removed' | 'alarm'
  reason: string | null
}

/** Something under a `fetching/` directory: an unfinished transfer, of this program or of another. */
export interface Leftover {
  /** Relative to the storage path, e.g. `sealed/fetching/s-t01000-7.op`. */
  name: string
  bytes: number
  modifiedMs: number
  /** True while an open move of this journal uses it. */
  owned: boolean
}

/** One move. States: new → running → durable → source removed → done; any failure leaves the source intact. */
export class Transfer {
  readonly op: string
  readonly #native: Addon.Transfer

  /** Made by `Mover.transfer()`. */
  constructor(op: string, native: Addon.Transfer) {
    this.op = op
    this.#native = native
  }

  /**
   * Moves or copies on a thread of its own. Settles when the target is durable.
   * @throws NativeError; the source is intact and no partial target has a final name
   */
  async run(signal?: AbortSignal): Promise<Durable> {
    const cancel = () => this.cancel()
    if (signal?.aborted) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return orThrow(await this.#native.run()) as Durable
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** A shared counter, read without waiting. */
  progress(): TransferProgress {
    return this.#native.progress()
  }

  /** Seen at the next chunk; `run()` then fails with CANCELLED. */
  cancel(): void {
    this.#native.cancel()
  }

  /**
   * Unlinks exactly the files that were moved, after checking that the target still holds them.
   * Call it when the target is declared. @throws NativeError
   */
  async removeSource(): Promise<void> {
    orThrow(await this.#native.removeSource())
  }

  /** Ends the move in the journal. Call it when the source is dropped from the index. */
  async done(): Promise<void> {
    orThrow(await this.#native.done())
  }
}

/** Moves sector files of this machine, with a journal that survives power loss. One per repo. */
export class Mover {
  readonly #native: Addon.Mover

  private constructor(native: Addon.Mover) {
    this.#native = native
  }

  /**
   * Opens or creates the journal and locks it.
   * @throws NativeError JOURNAL if it is corrupt or another process has it
   */
  static async open(journalPath: string, options: MoverOptions = { copyEngine: 'auto' }): Promise<Mover> {
    const native = translated(() => new addon.Mover(journalPath, options.copyEngine))
    orThrow(await native.open())
    return new Mover(native)
  }

  /** Gives the journal back. Running transfers go on to their end with it. */
  close(): void {
    this.#native.close()
  }

  /**
   * What interrupted moves need next. Run it before any transfer; it may be killed and run again.
   * It discards our temporary names and compares what it is not sure of: minutes for large files.
   */
  async recover(): Promise<Recovered[]> {
    return orThrow(await this.#native.recover()) as Recovered[]
  }

  /** Prepares a transfer; nothing moves before `run()`. @throws NativeError INVALID */
  transfer(request: TransferRequest): Transfer {
    const asked = {
      ...request,
      only: request.only ?? null,
      hash: request.hash ?? 'off',
      skipZeros: request.skipZeros ?? false,
    }
    return new Transfer(
      request.op,
      translated(() => this.#native.transfer(asked)),
    )
  }

  /** As on a transfer, for one that `recover()` reported. */
  async removeSource(op: string): Promise<void> {
    orThrow(await this.#native.removeSource(op))
  }

  /** As on a transfer, for one that `recover()` reported. An unknown op is done already. */
  async done(op: string): Promise<void> {
    orThrow(await this.#native.done(op))
  }

  /**
   * Removes a sector file or directory durably. A name that is not there is removed already.
   * @returns bytes it took on the disk, and whether there was something
   */
  async remove(root: string, name: string): Promise<{ removed: boolean; allocatedBytes: number }> {
    return orThrow(await this.#native.remove(root, name))
  }

  /** What lies in the `fetching/` directories of a storage path. */
  async leftovers(root: string): Promise<Leftover[]> {
    return orThrow(await this.#native.leftovers(root)) as Leftover[]
  }

  /** Removes one leftover durably. @throws NativeError BUSY if an open move uses it */
  async discard(root: string, name: string): Promise<void> {
    orThrow(await this.#native.discard(root, name))
  }
}

/**
 * The cheapest method between two storage paths, found by trying with a 4 KiB file below their
 * `.sealyard/` directories. `in-place`: both are the same directory.
 * @throws NativeError if one of them is not there or not writable
 */
export async function probeTier(sourceRoot: string, targetRoot: string): Promise<TransferMethod> {
  return orThrow(await addon.probeTier(sourceRoot, targetRoot)).tier as TransferMethod
}

/**
 * The ways to copy that work on a storage path, found by trying with 4 KiB files below its `.sealyard/` directory.
 * @throws NativeError if it is not there or not writable
 */
export async function probeCopyEngines(root: string): Promise<CopyEngine[]> {
  return orThrow(await addon.probeCopyEngines(root)) as CopyEngine[]
}
