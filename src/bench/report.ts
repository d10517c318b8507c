import { formatBytes } from '../base/bytes.ts'
import type { CandidateReport, FinalizeReport } from './finalize.ts'
import type { FilesystemFacts, Machine } from './machine.ts'
import type { ServeReport, ServeSample } from './serve.ts'
import type { StatLatencyReport } from './stat-latency.ts'
import { type Summary, summarize } from './statistics.ts'

export function formatFinalize(report: FinalizeReport): string {
  const { options, rounds, bytes, dataBytes } = report
  const holes = dataBytes < bytes ? `, ${formatBytes(dataBytes)} of it data` : ''
  const also = [
    options.hash === 'off' ? '' : `, ${options.hash}`,
    options.readBack ? ', read back' : '',
  ].join('')
  return lines([
    `finalize: ${options.scenario} of ${formatBytes(bytes)}${holes}, ${rounds} interleaved rounds, ${options.sourceState} source, fsync included${also}`,
    machineLine(report.machine),
    `from     ${filesystemLine(report.from)}`,
    `to       ${filesystemLine(report.to)}`,
    '',
    ...aligned([
      ['', 'seconds', 'GB/s', 'CPU s/GiB', 'machine', 'source cached', 'target cached', 'method'],
      ...report.candidates.map(candidateRow),
    ]),
    '',
    ...report.candidates.filter(({ name }) => name !== 'cp').flatMap(toCp),
    limitLine(report),
    ...hint(report),
    ...busy(report.machine),
  ])
}

function candidateRow(candidate: CandidateReport): string[] {
  const { label, name, bytesPerSecond, samples, sourceCacheBytes, targetCacheBytes, method } = candidate
  return [
    name === 'sealyard' ? 'sealyard' : label,
    spread(summarize(samples.map(({ seconds }) => seconds)), 3),
    (bytesPerSecond / 1e9).toFixed(2),
    candidate.processCpuSecondsPerGiB.toFixed(3),
    candidate.machineCpuSecondsPerGiB.toFixed(3),
    sourceCacheBytes === null ? 'gone' : formatBytes(sourceCacheBytes),
    targetCacheBytes === null ? 'unknown' : formatBytes(targetCacheBytes),
    method,
  ]
}

function toCp({ name, ratiosToCp: { speed, processCpu, machineCpu } }: CandidateReport): string[] {
  if (speed === null) return []
  const times = (summary: Summary | null) => (summary === null ? 'too short' : spread(summary, 2))
  const cpu = `CPU ${times(processCpu)}, machine ${times(machineCpu)}`
  return [`${name.padEnd(8)} to cp: speed ${times(speed)}, ${cpu}`]
}

function limitLine({ limit }: FinalizeReport): string {
  const rate = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB/s`
  return `limit    ${limit.program}, past the page cache: reads ${rate(limit.readBytesPerSecond)}, writes ${rate(limit.writeBytesPerSecond)}`
}

export function formatStatLatency(report: StatLatencyReport): string {
  const { options, rounds, candidates } = report
  const names = { idle: 'no copy', sealyard: 'sealyard', node: 'fs.copyFile' }
  const ms = (value: number) => value.toFixed(2)
  return lines([
    `stat-latency: fs.stat while ${options.copies} copies of ${formatBytes(options.sizeBytes)} run in the same process, ${rounds} interleaved rounds`,
    machineLine(report.machine),
    `from     ${filesystemLine(report.from)}`,
    `to       ${filesystemLine(report.to)}`,
    '',
    ...aligned([
      ['', 'calls', 'p50 ms', 'p99 ms', 'max ms'],
      ...candidates.map(({ name, calls, p50Ms, p99Ms, maxMs }) => [
        names[name],
        String(calls),
        ms(p50Ms),
        ms(p99Ms),
        ms(maxMs),
      ]),
    ]),
    ...busy(report.machine),
  ])
}

export function formatServe(report: ServeReport): string {
  const { options, rounds } = report
  const bytes = options.sizeBytes * options.requests
  return lines([
    `serve: ${options.requests} × ${formatBytes(options.sizeBytes)} over loopback, one connection, ${rounds.length} interleaved rounds, ${options.file} file`,
    machineLine(report.machine),
    `file on  ${filesystemLine(report.filesystem)}`,
    `network  congestion control ${report.machine.congestionControl} on both; a Node process receives`,
    '',
    ...table('sealyard front door', report.peer, rounds, bytes, 'file left in page cache'),
    '',
    ...ratios(report),
    ...pacing(report),
    ...busy(report.machine),
  ])
}

/** Half of what the machine can do, done by others, is more than most differences. */
function busy({ load, cores }: Machine): string[] {
  if (load <= cores / 2) return []
  return [
    '',
    `Load ${load.toFixed(1)} on ${cores} cores: something else is running, so look at the spread before the ratio.`,
  ]
}

/** BBR sends by timers of the kernel, whose time no process is charged for. */
function pacing({ machine }: ServeReport): string[] {
  if (machine.congestionControl !== 'bbr') return []
  return [
    '',
    "With bbr part of the sending is in no server's CPU time: compare the whole machine, when it is quiet.",
  ]
}

function machineLine({ cpu, cores, memoryBytes, kernel, virtual, load }: Machine): string {
  const kind = virtual ? ', virtual machine (memory primed before each sample)' : ''
  const facts = `${cores} cores, ${formatBytes(memoryBytes)}, Linux ${kernel}${kind}, load ${load.toFixed(1)}`
  return `machine  ${cpu}, ${facts}`
}

function filesystemLine({ directory, type, device }: FilesystemFacts): string {
  return `${directory} (${type} on ${device})`
}

interface Round {
  readonly ours: ServeSample
  readonly peer: ServeSample
}

function table(ours: string, peer: string, rounds: readonly Round[], bytes: number, cache: string): string[] {
  const rows = [
    ['', 'seconds', 'GB/s', 'CPU s/GiB', 'whole machine', cache],
    row(
      ours,
      rounds.map((round) => round.ours),
      bytes,
    ),
    row(
      peer,
      rounds.map((round) => round.peer),
      bytes,
    ),
  ]
  return aligned(rows)
}

function aligned(rows: readonly string[][]): string[] {
  const width = (column: number) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(width(column)))
      .join('   ')
      .trimEnd(),
  )
}

function row(label: string, samples: readonly ServeSample[], bytes: number): string[] {
  const seconds = summarize(samples.map((sample) => sample.seconds))
  const perGiB = (value: 'cpuSeconds' | 'machineCpuSeconds') =>
    spread(summarize(samples.map((sample) => sample[value] / (bytes / 2 ** 30))), 2)
  const cached = samples.flatMap(({ cachedBytes }) => cachedBytes ?? [])
  return [
    label,
    spread(seconds, 3),
    (bytes / 1e9 / seconds.median).toFixed(2),
    perGiB('cpuSeconds'),
    perGiB('machineCpuSeconds'),
    cached.length === 0 ? 'unknown (fincore is missing)' : formatBytes(summarize(cached).median),
  ]
}

/** `0.412 (0.398–0.451)`: the median, and the least and the most. */
function spread({ median, min, max }: Summary, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

function ratios({ speed, cpu, machineCpu, peer }: ServeReport): string[] {
  const times = (summary: Summary | null) =>
    summary === null
      ? 'too short to be measured; take a larger --size'
      : `${spread(summary, 2)} times that of ${peer}`
  return [`speed    ${times(speed)}`, `CPU      ${times(cpu)}`, `machine  ${times(machineCpu)}`]
}

function hint({ from, to, options, candidates }: FinalizeReport): string[] {
  const method = candidates.find(({ name }) => name === 'sealyard')?.method
  if (options.method === 'copy' && from.device === to.device) {
    return [
      '',
      'Both directories are on one filesystem, where a daemon renames; copying was asked for. --method any shows that.',
    ]
  }
  if (method !== 'rename' && method !== 'clone') return []
  return ['', `No byte was copied (${method}): the ratio says what it saves, not how fast anything is.`]
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`
}
