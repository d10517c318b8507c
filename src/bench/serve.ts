import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Cost, measureCost } from './cpu.ts'
import { benchError } from './errors.ts'
import { describeFilesystem, describeMachine, type FilesystemFacts, type Machine } from './machine.ts'
import { cachedBytes, dropCached, primeMemory, warmUp } from './page-cache.ts'
import { makeScratch, removeScratch, writeSectorFile } from './scratch.ts'
import { type ServePeerName, startDoor, startPeer, type TestServer } from './servers.ts'
import { download } from './sink.ts'
import { compareRounds, type Ratios } from './statistics.ts'

export interface ServeOptions {
  readonly sizeBytes: number
  readonly rounds: number
  readonly directory: string
  /** `auto`: nginx where it is installed, else Node. */
  readonly peer: ServePeerName | 'auto'
  /** Downloads in a row that make one sample. */
  readonly requests: number
  /** Whether the file is in the page cache when a sample begins. */
  readonly file: 'cold' | 'hot'
}

/** Some downloads in a row from one server; its CPU is the server's, all its threads. */
export interface ServeSample extends Cost {
  /** What of the file is in the page cache afterwards; null where that cannot be told. */
  readonly cachedBytes: number | null
}

export interface ServeReport extends Ratios {
  readonly command: 'serve'
  readonly machine: Machine
  readonly filesystem: FilesystemFacts
  readonly options: ServeOptions
  readonly peer: string
  readonly rounds: readonly { readonly ours: ServeSample; readonly peer: ServeSample }[]
}

/** Below the document root, and the address on both servers. */
const FILE = 'remote/sealed/s-t01000-1'

interface Ground {
  readonly options: ServeOptions
  readonly virtual: boolean
  readonly file: string
  readonly token: string
  readonly signal: AbortSignal
}

/** Downloads a file from our door and from the peer, in turn. @throws BenchError; leaves nothing behind */
export async function benchServe(options: ServeOptions, signal: AbortSignal): Promise<ServeReport> {
  const machine = describeMachine()
  const scratch = await makeScratch(options.directory, options.sizeBytes)
  const servers: TestServer[] = []
  try {
    const ground = {
      options,
      virtual: machine.virtual,
      file: join(scratch, 'docs', FILE),
      token: randomBytes(32).toString('base64url'),
      signal,
    }
    await writeSectorFile(ground.file, options.sizeBytes, [{ at: 0, bytes: options.sizeBytes }], signal)
    const place = { scratch, file: ground.file, path: `/${FILE}`, token: ground.token, signal }
    const ours = await startDoor(place)
    servers.push(ours)
    const peer = await startPeer(options.peer, place)
    servers.push(peer)
    await compareBodies(ground, ours, peer)
    const rounds = await measure(ground, ours, peer)
    return {
      command: 'serve',
      machine,
      filesystem: describeFilesystem(options.directory),
      options,
      peer: peer.label,
      rounds,
      ...compareRounds(rounds),
    }
  } finally {
    for (const server of servers) await server.stop()
    await removeScratch(scratch)
  }
}

/** A server that is fast because it sends something else is no server. */
async function compareBodies({ options, token, signal }: Ground, ...servers: TestServer[]): Promise<void> {
  const digests: string[] = []
  for (const { port, label } of servers) {
    const sunk = await download({ port, path: `/${FILE}`, token, requests: 1, digest: true }, signal)
    if (sunk.bytes !== options.sizeBytes) {
      throw benchError('PEER_FAILED', `${label} sent ${sunk.bytes} bytes instead of ${options.sizeBytes}`)
    }
    digests.push(sunk.digest ?? '')
  }
  if (new Set(digests).size !== 1) throw benchError('PEER_FAILED', 'the two servers sent different bodies')
}

async function measure(ground: Ground, ours: TestServer, peer: TestServer): Promise<ServeReport['rounds']> {
  const rounds: { ours: ServeSample; peer: ServeSample }[] = []
  // The first round lets servers settle and does not count.
  for (let round = 0; round <= ground.options.rounds; round++) {
    const first = round % 2 === 0 ? await sample(ground, ours) : null
    const other = await sample(ground, peer)
    const each = { ours: first ?? (await sample(ground, ours)), peer: other }
    if (round > 0) rounds.push(each)
  }
  return rounds
}

async function sample(
  { options, virtual, file, token, signal }: Ground,
  server: TestServer,
): Promise<ServeSample> {
  await (options.file === 'hot' ? warmUp(file, signal) : dropCached(file, signal))
  if (virtual && options.file === 'cold') await primeMemory(options.sizeBytes + 2 ** 26, signal)
  const order = { port: server.port, path: `/${FILE}`, token, requests: options.requests, digest: false }
  const { cost, result } = await measureCost(server.pid, () => download(order, signal))
  const wanted = options.sizeBytes * options.requests
  if (result.bytes !== wanted) {
    throw benchError('PEER_FAILED', `${server.label} sent ${result.bytes} of ${wanted} bytes`)
  }
  // The receiver's own clock leaves out how long it took to start.
  return { ...cost, seconds: result.seconds, cachedBytes: await cachedBytes([file], signal) }
}
