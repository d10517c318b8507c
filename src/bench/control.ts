import { startEntry } from './child-entry.ts'
import type { ControlOrder } from './control-process.ts'
import { benchError } from './errors.ts'
import { type CasesOptions, casesOf, type ServeCase } from './serve-cases.ts'
import type { Ground } from './serve-rounds.ts'
import { percentile, type Summary, summarizeRatios } from './statistics.ts'

/** How long small calls took, in milliseconds. */
export interface CallLatency {
  readonly calls: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Calls through our door to the hyper-express behind it, on the port that the files are on. */
export interface ControlReport {
  /** Connections that download meanwhile. */
  readonly connections: number
  readonly idle: CallLatency
  readonly loaded: CallLatency
  /** p99 under load by p99 without, round by round. */
  readonly p99Ratio: Summary | null
  /** What the data plane moved meanwhile; it must have been busy. */
  readonly loadedBytesPerSecond: number
}

const CONNECTIONS = 8
/** Of each kind in each round: enough that p99 is not the longest. */
const CALLS = 500

/** Measures our door, which takes part. @throws BenchError PEER_FAILED */
export async function measureControl(ground: Ground): Promise<ControlReport> {
  const { options, network, sink, token, root, signal } = ground
  const door = ground.servers.find(({ name }) => name === 'sealyard')
  const files = controlCase(options, root)
  const server = { host: network.host, port: door?.port ?? 0, token }
  const caller = await startEntry('control-process', null, signal, network.clientSide)
  const all = { idle: [] as number[], loaded: [] as number[] }
  const p99 = { idle: [] as number[], loaded: [] as number[] }
  let [bytes, seconds] = [0, 0]
  const call = async (kind: 'idle' | 'loaded') => {
    const waits = (await caller.ask({ ...server, calls: CALLS } satisfies ControlOrder)) as number[] | string
    if (typeof waits === 'string') throw benchError('PEER_FAILED', `a control call failed: ${waits}`)
    all[kind].push(...waits)
    p99[kind].push(percentile(waits, 99))
  }
  try {
    for (let round = 0; round < options.rounds; round++) {
      await call('idle')
      const load = sink.saturate({ ...server, paths: files.paths, connections: CONNECTIONS })
      try {
        await call('loaded')
      } finally {
        const sunk = await load.stop()
        bytes += sunk.bytes
        seconds += sunk.seconds
      }
    }
  } finally {
    await caller.stop()
  }
  return {
    connections: CONNECTIONS,
    idle: latencyOf(all.idle),
    loaded: latencyOf(all.loaded),
    p99Ratio: summarizeRatios(p99.loaded, p99.idle),
    loadedBytesPerSecond: bytes / seconds,
  }
}

/** What is downloaded meanwhile: each connection has a file of its own. */
export function controlCase(options: CasesOptions, root: string): ServeCase {
  const [files] = casesOf({ ...options, cases: ['file'], connections: [CONNECTIONS] }, root)
  return files as ServeCase
}

function latencyOf(waits: readonly number[]): CallLatency {
  return {
    calls: waits.length,
    p50Ms: percentile(waits, 50),
    p99Ms: percentile(waits, 99),
    maxMs: percentile(waits, 100),
  }
}
