import { formatBytes } from '../base/bytes.ts'
import type { CallLatency, ControlReport } from './control.ts'
import {
  aligned,
  busy,
  cached,
  filesystemLine,
  gigabytes,
  lines,
  machineLine,
  pacing,
  spread,
  times,
} from './report-parts.ts'
import type { ServeReport } from './serve.ts'
import type { CaseRatios, CaseReport, ServeCandidateReport } from './serve-report.ts'
import { summarize } from './statistics.ts'

export function formatServe(report: ServeReport): string {
  const { options, rounds, congestionControl } = report
  return lines([
    `serve: ${formatBytes(options.sizeBytes)}, ${rounds} interleaved rounds, over ${options.network}`,
    machineLine(report.machine, options.state === 'cold'),
    `files on ${filesystemLine(report.filesystem)}`,
    `network  congestion control ${congestionControl} on all; a Node process receives, without SO_RCVLOWAT`,
    ...report.cases.flatMap((each) => [
      '',
      ...caseTable(each),
      ...caseRatios(report.ratios[`${each.name}-${each.connections}`] ?? {}),
    ]),
    ...limitLine(report),
    ...(report.control === null ? [] : controlTable(report.control)),
    ...pacing(congestionControl),
    ...busy(report.machine),
  ])
}

const CASES: Readonly<Record<CaseReport['name'], string>> = {
  file: 'a file for each connection',
  small: 'files of 2 KiB',
  tar: 'tar of a cache directory; others send the same bytes as a file',
}

function caseTable({ name, connections, state, candidates }: CaseReport): string[] {
  const count = connections === 1 ? '1 connection' : `${connections} connections`
  return [
    `${name}: ${CASES[name]}, ${count}, ${state}`,
    ...aligned([
      name === 'small'
        ? ['', 'seconds', 'requests/s', 'server CPU µs/request', 'machine', 'left in page cache']
        : ['', 'seconds', 'GB/s', 'requests/s', 'server CPU s/GiB', 'machine', 'left in page cache'],
      ...candidates.map(name === 'small' ? smallRow : candidateRow),
    ]),
  ]
}

/** Of small files no speed, and no CPU time by size: it is requests that cost. */
function smallRow({ label, samples, requestsPerSecond, pageCacheBytes }: ServeCandidateReport): string[] {
  const micros = (key: 'cpuSeconds' | 'machineCpuSeconds') =>
    (summarize(samples.map((each) => each[key] / each.requests)).median * 1e6).toFixed(1)
  return [
    label,
    spread(summarize(samples.map(({ seconds }) => seconds)), 3),
    requestsPerSecond.toFixed(0),
    micros('cpuSeconds'),
    micros('machineCpuSeconds'),
    cached(pageCacheBytes),
  ]
}

function candidateRow(candidate: ServeCandidateReport): string[] {
  return [
    candidate.label,
    spread(summarize(candidate.samples.map(({ seconds }) => seconds)), 3),
    gigabytes(candidate.bytesPerSecond),
    candidate.requestsPerSecond.toFixed(candidate.requestsPerSecond < 100 ? 2 : 0),
    candidate.serverCpuSecondsPerGiB.toFixed(3),
    candidate.machineCpuSecondsPerGiB.toFixed(3),
    cached(candidate.pageCacheBytes),
  ]
}

function caseRatios(ratios: CaseRatios): string[] {
  return Object.entries(ratios).map(([peer, { speed, serverCpu, machineCpu }]) => {
    const cpu = peer === 'device' ? '' : `, CPU ${times(serverCpu)}, machine ${times(machineCpu)}`
    return `sealyard to ${peer}: speed ${times(speed)}${cpu}`
  })
}

function limitLine({ limit }: ServeReport): string[] {
  if (limit === null) return []
  const { median, min, max } = limit.readBytesPerSecond
  const rates = spread({ median: median / 1e9, min: min / 1e9, max: max / 1e9 }, 2)
  return ['', `limit    device: ${limit.program} reads ${rates} GB/s past the page cache`]
}

function controlTable({
  connections,
  idle,
  loaded,
  p99Ratio,
  loadedBytesPerSecond,
}: ControlReport): string[] {
  const row = (label: string, { calls, p50Ms, p99Ms, maxMs }: CallLatency) => [
    label,
    String(calls),
    ...[p50Ms, p99Ms, maxMs].map((value) => value.toFixed(2)),
  ]
  return [
    '',
    'control: small calls through the front door, on the port that the files are on',
    ...aligned([
      ['', 'calls', 'p50 ms', 'p99 ms', 'max ms'],
      row('idle', idle),
      row(`${connections} connections download ${gigabytes(loadedBytesPerSecond)} GB/s`, loaded),
    ]),
    `p99 to idle: ${times(p99Ratio)}`,
  ]
}
