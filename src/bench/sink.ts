import { type ChildEntry, startEntry } from './child-entry.ts'
import { benchError } from './errors.ts'
import type { Network } from './network.ts'

/** Some requests, shared out over connections that are kept open between them. */
export interface SinkOrder {
  readonly host: string
  readonly port: number
  readonly token: string
  /** Asked for in turn, from the first again after the last. */
  readonly paths: readonly string[]
  readonly connections: number
  /** In all; null: until told to stop. */
  readonly requests: number | null
  /** Whether to hash the bodies, which takes time; only with one connection are they in order. */
  readonly digest: boolean
  /** A new file that the bodies are written to; null: they are thrown away. */
  readonly saveTo: string | null
}

export interface Sunk {
  readonly bytes: number
  readonly requests: number
  readonly seconds: number
  readonly digest: string | null
}

/** What receives: a process of its own, for a server must not wait for our event loop. */
export interface Sink {
  /** @throws BenchError PEER_FAILED */
  download(order: SinkOrder): Promise<Sunk>
  /** Receives without end, until `stop`. */
  saturate(order: Omit<SinkOrder, 'requests' | 'digest' | 'saveTo'>): { stop(): Promise<Sunk> }
  close(): Promise<void>
}

export async function openSink(network: Network, signal: AbortSignal): Promise<Sink> {
  const child = await startEntry('sink-process', null, signal, network.clientSide)
  return {
    download: (order) => sunk(child, order),
    saturate(order) {
      const end = sunk(child, { ...order, requests: null, digest: false, saveTo: null })
      // Whoever stops it learns of a failure, however early it was.
      end.catch(() => undefined)
      return {
        stop: async () => {
          // Its answer is that of the download, which is waited for already.
          child.ask('stop').catch(() => undefined)
          return end
        },
      }
    },
    close: () => child.stop(),
  }
}

async function sunk(child: ChildEntry, order: SinkOrder): Promise<Sunk> {
  const answer = await child.ask(order)
  if (typeof answer !== 'string') return answer as Sunk
  throw benchError('PEER_FAILED', `a download from port ${order.port} failed: ${answer}`)
}
