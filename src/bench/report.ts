import { formatBytes } from '../base/bytes.ts'
import type { CandidateReport, FinalizeReport } from './finalize.ts'
import { aligned, busy, filesystemLine, lines, machineLine, spread, times } from './report-parts.ts'
import type { StatLatencyReport } from './stat-latency.ts'
import { summarize } from './statistics.ts'

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
