import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Cost, measureCost } from './cpu.ts'
import { deviceReadLimit } from './device-limit.ts'
import { benchError } from './errors.ts'
import type { Network, NetworkName } from './network.ts'
import { cachedBytes, dropCached, primeMemory, warmUp } from './page-cache.ts'
import { type CasesOptions, type ServeCase, savedTar } from './serve-cases.ts'
import type { ServeCandidateName, TestServer } from './servers.ts'
import type { Sink } from './sink.ts'

export interface ServeOptions extends CasesOptions {
  readonly rounds: number
  readonly directory: string
  readonly candidates: readonly ServeCandidateName[]
  readonly network: NetworkName
  /** Null: the system's. */
  readonly congestionControl: string | null
  /** Whether small calls are measured too, beside a busy data plane. */
  readonly control: boolean
}

/** Servers that run, and what they serve. */
export interface Ground {
  readonly options: ServeOptions
  readonly virtual: boolean
  readonly scratch: string
  readonly root: string
  readonly network: Network
  readonly sink: Sink
  readonly servers: readonly TestServer[]
  readonly token: string
  readonly signal: AbortSignal
}

/** One candidate's turn; its CPU is the server's, all its threads. */
export interface ServeSample extends Cost {
  readonly bytes: number
  readonly requests: number
  /** Of what was served, in the page cache afterwards; null where that cannot be told. */
  readonly cacheBytes: number | null
}

/** Who takes part in a case: a server, and what it is asked for. */
export interface Contestant {
  /** That of the server, or `sealyard-file`. */
  readonly name: string
  readonly label: string
  readonly server: TestServer
  readonly paths: readonly string[]
  readonly files: readonly string[]
}

export interface MeasuredCase {
  readonly contestants: readonly Contestant[]
  /** By contestant, a sample for each round. */
  readonly samples: ReadonlyMap<string, readonly ServeSample[]>
  /** Bytes per second of the disk in each round; empty unless files are cold. */
  readonly limits: readonly number[]
}

const PRIME_MARGIN_BYTES = 2 ** 26
/** Enough for a disk to reach its speed. */
const PROBE_BYTES = 2 ** 30

export function probeBytes({ sizeBytes }: ServeOptions): number {
  return Math.min(sizeBytes, PROBE_BYTES)
}

/** Compares what all send, once, and then measures them in turn. */
export async function measureCase(ground: Ground, served: ServeCase): Promise<MeasuredCase> {
  const contestants = await contestantsOf(ground, served)
  await compareBodies(ground, contestants)
  const samples = new Map<string, ServeSample[]>(contestants.map(({ name }) => [name, []]))
  const limits: number[] = []
  const { options, scratch, signal } = ground
  for (let round = 0; round < options.rounds; round++) {
    // Who goes first changes, so that nobody always finds the machine as the same other left it.
    const turn = contestants.map((_, at) => contestants[(at + round) % contestants.length] as Contestant)
    for (const each of turn) samples.get(each.name)?.push(await sample(ground, served, each))
    if (served.state === 'cold') limits.push(await deviceReadLimit(scratch, probeBytes(options), signal))
  }
  return { contestants, samples, limits }
}

async function contestantsOf(ground: Ground, { name, paths, files }: ServeCase): Promise<Contestant[]> {
  if (name !== 'tar') return ground.servers.map((server) => ({ ...server, server, paths, files }))
  const tar = { paths: [savedTar.path], files: [join(ground.root, savedTar.name)] }
  const all: Contestant[] = []
  for (const server of ground.servers) {
    if (server.name !== 'sealyard') all.push({ ...server, server, ...tar })
    else {
      await saveTar(ground, server, paths)
      all.push({ ...server, label: `${server.label}, tar`, server, paths, files })
      all.push({ ...server, name: 'sealyard-file', label: `${server.label}, same bytes`, server, ...tar })
    }
  }
  return all
}

/** The tar as a file, made once: what other servers send of it, and what our own plain sending is measured with. */
async function saveTar(ground: Ground, door: TestServer, paths: readonly string[]): Promise<void> {
  const saveTo = join(ground.root, savedTar.name)
  if (existsSync(saveTo)) return
  await mkdir(dirname(saveTo), { recursive: true })
  await ground.sink.download({ ...orderOf(ground, door), paths, saveTo })
}

/** A server that is fast because it sends something else is no server. */
async function compareBodies(ground: Ground, contestants: readonly Contestant[]): Promise<void> {
  const bodies = new Map<string, string>()
  for (const { label, server, paths } of contestants) {
    const order = { ...orderOf(ground, server), paths, requests: paths.length, digest: true }
    const { bytes, digest } = await ground.sink.download(order)
    bodies.set(`${bytes} bytes, ${digest}`, label)
  }
  if (bodies.size <= 1) return
  throw benchError('PEER_FAILED', `servers sent different bodies: ${[...bodies.values()].join('; ')}`)
}

/** One request on one connection, thrown away. */
function orderOf({ network, token }: Ground, { port }: TestServer) {
  return { host: network.host, port, token, connections: 1, requests: 1, digest: false, saveTo: null }
}

async function sample(ground: Ground, served: ServeCase, contestant: Contestant): Promise<ServeSample> {
  const { virtual, options, sink, signal } = ground
  const { server, paths, files } = contestant
  for (const file of files) await (served.state === 'hot' ? warmUp : dropCached)(file, signal)
  if (virtual && served.state === 'cold') await primeMemory(options.sizeBytes + PRIME_MARGIN_BYTES, signal)
  const { connections, requests } = served
  const order = { ...orderOf(ground, server), paths, connections, requests }
  const { cost, result } = await measureCost(server.pid, () => sink.download(order))
  const cacheBytes = await cachedBytes(files, signal)
  // The receiver's own clock leaves out how long our messages to it took.
  return { ...cost, seconds: result.seconds, bytes: result.bytes, requests: result.requests, cacheBytes }
}
