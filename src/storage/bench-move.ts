import { type Durable, Mover } from '../native/mover.ts'

/** What one measured move asks for. */
export interface MeasuredMove {
  readonly sourceRoot: string
  readonly targetRoot: string
  /** `sealed/s-t01000-1`, below both. */
  readonly name: string
  /** `any` takes the cheapest, as a daemon does. */
  readonly method: 'any' | 'rename' | 'clone' | 'copy'
}

/** The mover as daemons use it, without index, reservations and locks: what `sealyard-bench` measures. */
export interface BenchMover {
  /**
   * A whole move: journal, copy, fsync, rename, removal of the source.
   * @throws NativeError NOT_HERE where the method does not work between these directories
   */
  move(move: MeasuredMove, signal: AbortSignal): Promise<Durable>
  close(): void
}

export async function openBenchMover(journalPath: string): Promise<BenchMover> {
  const mover = await Mover.open(journalPath)
  let moves = 0
  return {
    async move({ sourceRoot, targetRoot, name, method }, signal) {
      const transfer = mover.transfer({
        op: `bench-${++moves}`,
        source: { root: sourceRoot, name },
        target: { root: targetRoot, name },
        keepSource: false,
        verify: false,
        tag: 'bench',
        ...(method === 'any' ? {} : { only: method }),
      })
      const durable = await transfer.run(signal)
      await transfer.removeSource()
      await transfer.done()
      return durable
    },
    close: () => mover.close(),
  }
}
