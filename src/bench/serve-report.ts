import type { ServeCase } from './serve-cases.ts'
import type { Contestant, MeasuredCase, ServeSample } from './serve-rounds.ts'
import { type Summary, summarize, summarizeRatios } from './statistics.ts'

export interface ServeCandidateReport {
  /** `sealyard-file`: our door, for the tar's bytes as a plain file. */
  readonly name: string
  readonly label: string
  readonly bytesPerSecond: number
  readonly serverCpuSecondsPerGiB: number
  readonly machineCpuSecondsPerGiB: number
  readonly pageCacheBytes: number | null
  readonly requestsPerSecond: number
  readonly samples: readonly ServeSample[]
}

export interface CaseReport {
  readonly name: ServeCase['name']
  readonly connections: number
  readonly state: 'hot' | 'cold'
  readonly candidates: readonly ServeCandidateReport[]
}

/** Ours by a peer's, round by round; null where the rounds are too short. */
export interface ServeRatios {
  readonly speed: Summary | null
  readonly serverCpu: Summary | null
  readonly machineCpu: Summary | null
}

/** By peer; `device` is the disk read past the page cache, which has only a speed. */
export type CaseRatios = Readonly<Record<string, ServeRatios>>

export function reportOfCase(
  { name, connections, state }: ServeCase,
  { contestants, samples, limits }: MeasuredCase,
): { report: CaseReport; ratios: CaseRatios } {
  const candidates = contestants.map((each) => reportOf(each, samples.get(each.name) ?? []))
  return { report: { name, connections, state, candidates }, ratios: ratiosOf(candidates, limits) }
}

function reportOf({ name, label }: Contestant, samples: readonly ServeSample[]): ServeCandidateReport {
  const median = (value: (sample: ServeSample) => number) => summarize(samples.map(value)).median
  const gib = ({ bytes }: ServeSample) => bytes / 2 ** 30
  const cached = samples.flatMap(({ cacheBytes }) => cacheBytes ?? [])
  return {
    name,
    label,
    bytesPerSecond: median(({ bytes, seconds }) => bytes / seconds),
    serverCpuSecondsPerGiB: median((each) => each.cpuSeconds / gib(each)),
    machineCpuSecondsPerGiB: median((each) => each.machineCpuSeconds / gib(each)),
    pageCacheBytes: cached.length === 0 ? null : summarize(cached).median,
    requestsPerSecond: median(({ requests, seconds }) => requests / seconds),
    samples,
  }
}

function ratiosOf(candidates: readonly ServeCandidateReport[], limits: readonly number[]): CaseRatios {
  const ours = candidates.find(({ name }) => name === 'sealyard')?.samples
  if (ours === undefined) return {}
  const ratios: Record<string, ServeRatios> = {}
  for (const { name, samples } of candidates) if (name !== 'sealyard') ratios[name] = ratiosTo(ours, samples)
  if (limits.length > 0) {
    const speeds = ours.map(({ bytes, seconds }) => bytes / seconds)
    ratios.device = { speed: summarizeRatios(speeds, limits), serverCpu: null, machineCpu: null }
  }
  return ratios
}

/** All samples of a case are of the same bytes, so that seconds stand for speed. */
function ratiosTo(ours: readonly ServeSample[], theirs: readonly ServeSample[]): ServeRatios {
  const column = (of: readonly ServeSample[], key: 'seconds' | 'cpuSeconds' | 'machineCpuSeconds') =>
    of.map((each) => each[key])
  const oursByTheirs = (key: 'cpuSeconds' | 'machineCpuSeconds') =>
    summarizeRatios(column(ours, key), column(theirs, key))
  return {
    speed: summarizeRatios(column(theirs, 'seconds'), column(ours, 'seconds')),
    serverCpu: oursByTheirs('cpuSeconds'),
    machineCpu: oursByTheirs('machineCpuSeconds'),
  }
}
