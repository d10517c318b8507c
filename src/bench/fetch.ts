import { randomBytes } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChildEntry, startEntry } from './child-entry.ts'
import { type Cost, measureCost } from './cpu.ts'
import { deviceWriteLimit, limitProgram } from './device-limit.ts'
import { benchError } from './errors.ts'
import { describeFilesystem, describeMachine, type FilesystemFacts, type Machine } from './machine.ts'
import { openNetwork } from './network.ts'
import { cachedBytes, primeMemory, warmUp } from './page-cache.ts'
import { findProgram, needProgram, run } from './programs.ts'
import { makeScratch, removeScratch, writeSectorFile } from './scratch.ts'
import { startServer, type TestServer } from './servers.ts'
import { type Summary, summarize, summarizeRatios } from './statistics.ts'

export const FETCH_CANDIDATES = ['sealyard', 'curl', 'node'] as const
export type FetchCandidateName = (typeof FETCH_CANDIDATES)[number]

export interface FetchOptions {
  readonly sizeBytes: number
  readonly rounds: number
  readonly directory: string
  readonly candidates: readonly FetchCandidateName[]
}

/** One candidate's turn; its CPU is the client's, and curl's where that is the client. */
export interface FetchSample extends Cost {
  /** Of the target in the page cache afterwards; null where that cannot be told. */
  readonly cacheBytes: number | null
}

export interface FetchCandidateReport {
  readonly name: FetchCandidateName
  readonly label: string
  readonly secondsMedian: number
  readonly bytesPerSecond: number
  readonly clientCpuSecondsPerGiB: number
  readonly machineCpuSecondsPerGiB: number
  readonly pageCacheBytes: number | null
  readonly samples: readonly FetchSample[]
}

/** Ours by a peer's, round by round; null where the rounds are too short. */
export interface FetchRatios {
  readonly speed: Summary | null
  readonly clientCpu: Summary | null
  readonly machineCpu: Summary | null
}

export interface FetchReport {
  readonly command: 'fetch'
  readonly machine: Machine
  readonly filesystem: FilesystemFacts
  readonly options: FetchOptions
  readonly rounds: number
  readonly congestionControl: string
  /** Who sends, the same for all. */
  readonly server: string
  readonly candidates: readonly FetchCandidateReport[]
  /** By peer; `device` is the disk written past the page cache, which has only a speed. */
  readonly ratios: Readonly<Record<string, FetchRatios>>
  readonly limit: { readonly program: string; readonly writeBytesPerSecond: Summary }
}

const LABELS: Readonly<Record<FetchCandidateName, string>> = {
  sealyard: 'fetch as daemons do',
  curl: 'curl -o, fsync',
  node: 'http.get, pipeline to a file, fsync',
}
const NAME = 's-t01000-1'
const PRIME_MARGIN_BYTES = 2 ** 26
/** Enough for a disk to reach its speed. */
const PROBE_BYTES = 2 ** 30

/** All that are installed; for who names none. */
export function installedClients(): FetchCandidateName[] {
  return FETCH_CANDIDATES.filter((name) => name !== 'curl' || findProgram(name) !== null)
}

interface Ground {
  readonly options: FetchOptions
  readonly virtual: boolean
  readonly scratch: string
  readonly served: string
  readonly server: TestServer
  readonly token: string
  readonly clients: ReadonlyMap<FetchCandidateName, ChildEntry>
  readonly signal: AbortSignal
}

/** Downloads one hot file to disk by each client, in turn, round by round. @throws BenchError; leaves nothing behind */
export async function benchFetches(options: FetchOptions, signal: AbortSignal): Promise<FetchReport> {
  const machine = describeMachine()
  if (options.candidates.includes('curl')) needProgram('curl', 'install it, or leave it out of --candidates')
  const scratch = await makeScratch(options.directory, 2 * options.sizeBytes + probeBytes(options))
  const open: { stop(): Promise<void> }[] = []
  try {
    const network = await openNetwork('loopback', null, signal)
    const [root, token] = [join(scratch, 'docs'), randomBytes(32).toString('base64url')]
    const served = join(root, 'remote/sealed', NAME)
    await writeSectorFile(served, options.sizeBytes, [{ at: 0, bytes: options.sizeBytes }], signal)
    const files = [{ type: 'sealed' as const, name: NAME, path: served }]
    const name = findProgram('nginx') === null ? 'sealyard' : 'nginx'
    const server = await startServer(name, { network, root, token, files, scratch }, signal)
    open.push(server)
    const clients = new Map<FetchCandidateName, ChildEntry>()
    for (const each of options.candidates) {
      const client = await startEntry('fetch-process', { name: each }, signal)
      clients.set(each, client)
      open.push(client)
    }
    const { virtual } = machine
    return {
      ...{ command: 'fetch', machine, filesystem: describeFilesystem(options.directory), options },
      ...{ rounds: options.rounds, congestionControl: network.congestionControl, server: server.label },
      ...(await measure({ options, virtual, scratch, served, server, token, clients, signal })),
    }
  } finally {
    for (const each of open.reverse()) await each.stop()
    await removeScratch(scratch)
  }
}

function probeBytes({ sizeBytes }: FetchOptions): number {
  return Math.min(sizeBytes, PROBE_BYTES)
}

async function measure(ground: Ground): Promise<Pick<FetchReport, 'candidates' | 'ratios' | 'limit'>> {
  const { options, scratch, clients, signal } = ground
  const names = [...clients.keys()]
  const samples = new Map<FetchCandidateName, FetchSample[]>(names.map((name) => [name, []]))
  const limits: number[] = []
  for (const name of names) await compareFetched(ground, name)
  for (let round = 0; round < options.rounds; round++) {
    // Who goes first changes, so that nobody always finds the disk as the same other left it.
    const turn = names.map((_, at) => names[(at + round) % names.length] as FetchCandidateName)
    for (const name of turn) samples.get(name)?.push(await sample(ground, name))
    limits.push(await deviceWriteLimit(scratch, probeBytes(options), signal))
  }
  return {
    candidates: names.map((name) => reportOf(name, samples.get(name) ?? [], options.sizeBytes)),
    ratios: ratiosOf(samples, limits, options.sizeBytes),
    limit: { program: limitProgram(), writeBytesPerSecond: summarize(limits) },
  }
}

/** Whoever is fast because it writes something else is no client. */
async function compareFetched(ground: Ground, name: FetchCandidateName): Promise<void> {
  const { target } = await fetched(ground, name)
  await run('cmp', [ground.served, target], ground.signal)
  await rm(target)
}

async function sample(ground: Ground, name: FetchCandidateName): Promise<FetchSample> {
  const { options, virtual, served, clients, signal } = ground
  await warmUp(served, signal)
  if (virtual) await primeMemory(options.sizeBytes + PRIME_MARGIN_BYTES, signal)
  const { cost, result } = await measureCost(clients.get(name)?.pid ?? 0, () => fetched(ground, name), true)
  const cacheBytes = await cachedBytes([result.target], signal)
  await rm(result.target)
  // The client's own clock leaves out how long our messages to it took.
  return { ...cost, seconds: result.seconds, cacheBytes }
}

/** @returns the file that `name` has made, and how long it took by its own clock */
async function fetched(
  ground: Ground,
  name: FetchCandidateName,
): Promise<{ target: string; seconds: number }> {
  const { options, scratch, server, token, clients } = ground
  const target = join(scratch, `fetched-by-${name}`)
  const url = `http://127.0.0.1:${server.port}/remote/sealed/${NAME}`
  const answer = await clients.get(name)?.ask({ url, token, target, expectedBytes: options.sizeBytes })
  if (typeof answer !== 'number') throw benchError('PEER_FAILED', `${LABELS[name]} failed: ${String(answer)}`)
  const { size } = await stat(target)
  if (size === options.sizeBytes) return { target, seconds: answer }
  throw benchError('PEER_FAILED', `${LABELS[name]} wrote ${size} bytes instead of ${options.sizeBytes}`)
}

function reportOf(
  name: FetchCandidateName,
  samples: readonly FetchSample[],
  bytes: number,
): FetchCandidateReport {
  const median = (value: (sample: FetchSample) => number) => summarize(samples.map(value)).median
  const cached = samples.flatMap(({ cacheBytes }) => cacheBytes ?? [])
  const seconds = median((each) => each.seconds)
  return {
    name,
    label: LABELS[name],
    secondsMedian: seconds,
    bytesPerSecond: bytes / seconds,
    clientCpuSecondsPerGiB: median((each) => each.cpuSeconds) / (bytes / 2 ** 30),
    machineCpuSecondsPerGiB: median((each) => each.machineCpuSeconds) / (bytes / 2 ** 30),
    pageCacheBytes: cached.length === 0 ? null : summarize(cached).median,
    samples,
  }
}

function ratiosOf(
  all: ReadonlyMap<FetchCandidateName, readonly FetchSample[]>,
  limits: readonly number[],
  bytes: number,
): Record<string, FetchRatios> {
  const ours = all.get('sealyard')
  if (ours === undefined) return {}
  const column = (of: readonly FetchSample[], key: keyof Cost) => of.map((each) => each[key])
  const ratios: Record<string, FetchRatios> = {}
  for (const [name, theirs] of all) {
    if (name === 'sealyard') continue
    ratios[name] = {
      speed: summarizeRatios(column(theirs, 'seconds'), column(ours, 'seconds')),
      clientCpu: summarizeRatios(column(ours, 'cpuSeconds'), column(theirs, 'cpuSeconds')),
      machineCpu: summarizeRatios(column(ours, 'machineCpuSeconds'), column(theirs, 'machineCpuSeconds')),
    }
  }
  const speeds = ours.map(({ seconds }) => bytes / seconds)
  ratios.device = { speed: summarizeRatios(speeds, limits), clientCpu: null, machineCpu: null }
  return ratios
}
