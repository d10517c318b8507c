import { type CopyEngine, type CopyHash, type Durable, Mover } from '../native/mover.ts'

/** What one measured move asks for. */
export interface MeasuredMove {
  readonly sourceRoot: string
  readonly targetRoot: string
  /** `sealed/s-t01000-1`, below both. */
  readonly name: string
  /** `any` takes the cheapest, as a daemon does. */
  readonly method: 'any' | 'rename' | 'clone' | 'copy'
  /** True copies: the source can be looked at afterwards. */
  readonly keepSource: boolean
  /** Taken of the content on the way. */
  readonly hash: CopyHash
  /** Whether the target is read again, past the page cache, and compared. */
  readonly readBack: boolean
}

/** How the mover copies; `auto` is what daemons do. */
export type MeasuredEngine = 'auto' | CopyEngine

/** The mover as daemons use it, without index, reservations and locks: what `sealyard-bench` measures. */
export interface BenchMover {
  /**
   * A whole move: journal, copy, fsync, rename, and removal of the source unless it is kept.
   * @throws NativeError NOT_HERE where the method does not work between these directories
   */
  move(move: MeasuredMove, signal: AbortSignal): Promise<Durable>
  close(): void
}

export async function openBenchMover(journalPath: string, copyEngine: MeasuredEngine): Promise<BenchMover> {
  const mover = await Mover.open(journalPath, { copyEngine })
  let moves = 0
  return {
    async move({ sourceRoot, targetRoot, name, method, keepSource, hash, readBack }, signal) {
      const transfer = mover.transfer({
        op: `bench-${++moves}`,
        source: { root: sourceRoot, name },
        target: { root: targetRoot, name },
        keepSource,
        verify: readBack,
        hash,
        tag: 'bench',
        ...(method === 'any' ? {} : { only: method }),
      })
      const durable = await transfer.run(signal)
      if (!keepSource) await transfer.removeSource()
      await transfer.done()
      return durable
    },
    close: () => mover.close(),
  }
}
