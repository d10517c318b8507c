import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type ControlReport, controlCase, measureControl } from './control.ts'
import { limitProgram, writeProbeFile } from './device-limit.ts'
import { benchError } from './errors.ts'
import { describeFilesystem, describeMachine, type FilesystemFacts, type Machine } from './machine.ts'
import { type Network, openNetwork } from './network.ts'
import { makeScratch, removeScratch } from './scratch.ts'
import { bytesOfCases, casesOf, type ServeCase, writeCases } from './serve-cases.ts'
import { type CaseRatios, type CaseReport, reportOfCase } from './serve-report.ts'
import { type Ground, measureCase, probeBytes, type ServeOptions } from './serve-rounds.ts'
import { startServer, type TestServer } from './servers.ts'
import { openSink, type Sink } from './sink.ts'
import { type Summary, summarize } from './statistics.ts'

export interface ServeReport {
  readonly command: 'serve'
  readonly machine: Machine
  readonly filesystem: FilesystemFacts
  readonly options: ServeOptions
  readonly rounds: number
  /** The same for all servers. */
  readonly congestionControl: string
  readonly cases: readonly CaseReport[]
  /** By case, as `file-8`, and peer: ours to its. */
  readonly ratios: Readonly<Record<string, CaseRatios>>
  /** What the disk gives past the page cache; null unless files were cold. */
  readonly limit: { readonly program: string; readonly readBytesPerSecond: Summary } | null
  /** Null unless it was asked for. */
  readonly control: ControlReport | null
}

/**
 * Downloads the same from our door and from each peer, in turn, round by round.
 * @throws BenchError; leaves nothing behind
 */
export async function benchServe(options: ServeOptions, signal: AbortSignal): Promise<ServeReport> {
  if (options.control && !options.candidates.includes('sealyard')) {
    throw benchError('USAGE', '--control needs sealyard among --candidates')
  }
  const machine = describeMachine()
  const scratch = await makeScratch(options.directory, spaceNeeded(options))
  const open: { close(): Promise<void> }[] = []
  try {
    const network = await openNetwork(options.network, options.congestionControl, signal)
    open.push(network)
    const sink = await openSink(network, signal)
    open.push(sink)
    const root = join(scratch, 'docs')
    const cases = casesOf(options, root)
    const ground = await prepare(options, { scratch, root, network, sink, cases, open }, signal)
    return {
      command: 'serve',
      machine,
      filesystem: describeFilesystem(options.directory),
      options,
      rounds: options.rounds,
      congestionControl: network.congestionControl,
      ...(await measure(ground, cases)),
    }
  } finally {
    try {
      for (const each of open.reverse()) await each.close()
    } finally {
      await removeScratch(scratch)
    }
  }
}

function spaceNeeded(options: ServeOptions): number {
  const probe = options.state === 'cold' ? probeBytes(options) : 0
  return bytesOfCases(options) + probe + (options.control ? options.sizeBytes : 0)
}

interface Place {
  readonly scratch: string
  readonly root: string
  readonly network: Network
  readonly sink: Sink
  readonly cases: readonly ServeCase[]
  /** Takes what has to be closed at the end. */
  readonly open: { close(): Promise<void> }[]
}

async function prepare(
  options: ServeOptions,
  { scratch, root, network, sink, cases, open }: Place,
  signal: AbortSignal,
): Promise<Ground> {
  const all = options.control ? [...cases, controlCase(options, root)] : cases
  const files = await writeCases(all, options.sizeBytes, root, signal)
  if (options.state === 'cold') await writeProbeFile(scratch, probeBytes(options), signal)
  const token = randomBytes(32).toString('base64url')
  const servers: TestServer[] = []
  for (const name of options.candidates) {
    const server = await startServer(name, { network, root, token, files, scratch }, signal)
    servers.push(server)
    open.push({ close: () => server.stop() })
  }
  const { virtual } = describeMachine()
  return { options, virtual, scratch, root, network, sink, servers, token, signal }
}

async function measure(
  ground: Ground,
  cases: readonly ServeCase[],
): Promise<Pick<ServeReport, 'cases' | 'ratios' | 'limit' | 'control'>> {
  const reports: CaseReport[] = []
  const ratios: Record<string, CaseRatios> = {}
  const limits: number[] = []
  for (const each of cases) {
    const measured = await measureCase(ground, each)
    const { report, ratios: own } = reportOfCase(each, measured)
    reports.push(report)
    ratios[`${each.name}-${each.connections}`] = own
    limits.push(...measured.limits)
  }
  return {
    cases: reports,
    ratios,
    limit: limits.length === 0 ? null : { program: limitProgram(), readBytesPerSecond: summarize(limits) },
    control: ground.options.control ? await measureControl(ground) : null,
  }
}
