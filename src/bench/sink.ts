import { startEntry } from './child-entry.ts'
import { benchError } from './errors.ts'

export interface SinkOrder {
  readonly port: number
  readonly path: string
  readonly token: string
  /** Downloads in a row, each on a connection of its own. */
  readonly requests: number
  /** Whether to hash the bodies; costs time. */
  readonly digest: boolean
}

export interface Sunk {
  readonly bytes: number
  readonly seconds: number
  readonly digest: string | null
}

/**
 * Downloads and throws away, in a process of its own: a server must not wait for our event loop.
 * @throws BenchError PEER_FAILED
 */
export async function download(order: SinkOrder, signal: AbortSignal): Promise<Sunk> {
  const sink = await startEntry('sink-process', order, signal)
  await sink.stop()
  if (typeof sink.answer !== 'string') return sink.answer as Sunk
  throw benchError('PEER_FAILED', `a download from port ${order.port} failed: ${sink.answer}`)
}
