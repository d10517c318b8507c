import { formatBytes } from '../base/bytes.ts'
import type { FetchCandidateReport, FetchReport } from './fetch.ts'
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
import { summarize } from './statistics.ts'

export function formatFetch(report: FetchReport): string {
  const { options, rounds, congestionControl, limit } = report
  const { median, min, max } = limit.writeBytesPerSecond
  const rates = spread({ median: median / 1e9, min: min / 1e9, max: max / 1e9 }, 2)
  return lines([
    `fetch: ${formatBytes(options.sizeBytes)} to disk, ${rounds} interleaved rounds, hot at the server, fsync included`,
    machineLine(report.machine),
    `files on ${filesystemLine(report.filesystem)}`,
    `network  loopback, congestion control ${congestionControl}; ${report.server} sends to all`,
    '',
    ...aligned([
      ['', 'seconds', 'GB/s', 'client CPU s/GiB', 'machine', 'target left in page cache'],
      ...report.candidates.map(candidateRow),
    ]),
    '',
    ...Object.entries(report.ratios).map(([peer, { speed, clientCpu, machineCpu }]) => {
      const cpu = peer === 'device' ? '' : `, CPU ${times(clientCpu)}, machine ${times(machineCpu)}`
      return `sealyard to ${peer}: speed ${times(speed)}${cpu}`
    }),
    `limit    device: ${limit.program} writes ${rates} GB/s past the page cache`,
    ...pacing(congestionControl),
    ...busy(report.machine),
  ])
}

function candidateRow(candidate: FetchCandidateReport): string[] {
  return [
    candidate.name === 'sealyard' ? 'sealyard' : candidate.label,
    spread(summarize(candidate.samples.map(({ seconds }) => seconds)), 3),
    gigabytes(candidate.bytesPerSecond),
    candidate.clientCpuSecondsPerGiB.toFixed(3),
    candidate.machineCpuSecondsPerGiB.toFixed(3),
    cached(candidate.pageCacheBytes),
  ]
}
