import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { MeasuredEngine, MeasuredMove } from '../storage/bench-move.ts'
import { type Candidate, type CandidateName, openCandidates } from './candidates.ts'
import { type Cost, measureCost } from './cpu.ts'
import { type DeviceSample, deviceLimit, limitProgram, writeProbeFile } from './device-limit.ts'
import {
  bytesOf,
  dataBytesOf,
  filesOf,
  type LayoutEntry,
  layoutOf,
  type Scenario,
  writeLayout,
} from './layouts.ts'
import { describeFilesystem, describeMachine, type FilesystemFacts, type Machine } from './machine.ts'
import { cachedBytes, dropCached, primeMemory, warmUp } from './page-cache.ts'
import { makeScratch, removeScratch } from './scratch.ts'
import { type Summary, summarize, summarizeRatios } from './statistics.ts'

export interface FinalizeOptions {
  readonly source: string
  readonly target: string
  readonly sizeBytes: number
  readonly rounds: number
  readonly scenario: Scenario
  /** Whether the source is in the page cache when a sample begins. */
  readonly sourceState: 'cold' | 'hot'
  readonly candidates: readonly CandidateName[]
  readonly method: MeasuredMove['method']
  readonly engine: MeasuredEngine
  readonly hash: MeasuredMove['hash']
  readonly readBack: boolean
}

/** One candidate's turn; CPU is that of this process and of the programs it waited for. */
export interface MoveSample extends Cost {
  /** Of the source in the page cache before and after; null where that cannot be told, or it is gone. */
  readonly sourceCacheBytesBefore: number | null
  readonly sourceCacheBytes: number | null
  readonly targetCacheBytes: number | null
  readonly method: string
}

/** Ours by that of `cp`, round by round; null where `cp` did not run or the rounds are too short. */
export interface RatiosToCp {
  readonly speed: Summary | null
  readonly processCpu: Summary | null
  readonly machineCpu: Summary | null
}

export interface CandidateReport {
  readonly name: CandidateName
  /** What is timed. */
  readonly label: string
  readonly secondsMedian: number
  readonly bytesPerSecond: number
  readonly processCpuSecondsPerGiB: number
  readonly machineCpuSecondsPerGiB: number
  readonly sourceCacheBytes: number | null
  readonly targetCacheBytes: number | null
  readonly method: string
  readonly ratiosToCp: RatiosToCp
  readonly samples: readonly MoveSample[]
}

export interface FinalizeReport {
  readonly command: 'finalize'
  readonly machine: Machine
  readonly from: FilesystemFacts
  readonly to: FilesystemFacts
  readonly options: FinalizeOptions
  readonly rounds: number
  readonly bytes: number
  readonly dataBytes: number
  readonly candidates: readonly CandidateReport[]
  /** Medians of ours to `cp`. */
  readonly ratiosToCp: { readonly [ratio in keyof RatiosToCp]: number | null }
  readonly limit: DeviceSample & { readonly program: string }
}

/** Memory taken beside what a copy may leave in the page cache; for the programs themselves. */
const PRIME_MARGIN_BYTES = 2 ** 26
/** Enough for a disk to reach its speed; more would only take longer. */
const PROBE_BYTES = 2 ** 30

/** Two directories, and what is to get from one to the other. */
interface Ground {
  readonly options: FinalizeOptions
  readonly layout: readonly LayoutEntry[]
  readonly virtual: boolean
  readonly sourceRoot: string
  readonly targetRoot: string
  readonly signal: AbortSignal
}

/**
 * Runs all candidates in turn, round by round. Leaves nothing behind.
 * @throws BenchError, NativeError; SealyardError UNSUPPORTED_SECTOR_SIZE
 */
export async function benchFinalize(options: FinalizeOptions, signal: AbortSignal): Promise<FinalizeReport> {
  const machine = describeMachine()
  const layout = layoutOf(options.scenario, options.sizeBytes)
  const scratches: string[] = []
  try {
    for (const directory of [options.source, options.target]) {
      scratches.push(await makeScratch(directory, spaceNeeded(options, layout)))
    }
    const [sourceRoot = '', targetRoot = ''] = scratches
    await writeProbeFile(sourceRoot, probeBytes(layout), signal)
    const ground = { options, layout, virtual: machine.virtual, sourceRoot, targetRoot, signal }
    return { machine, ...facts(options, layout), ...(await measure(ground)) }
  } finally {
    for (const scratch of scratches) await removeScratch(scratch)
  }
}

function facts(options: FinalizeOptions, layout: readonly LayoutEntry[]) {
  return {
    command: 'finalize' as const,
    from: describeFilesystem(options.source),
    to: describeFilesystem(options.target),
    options,
    rounds: options.rounds,
    bytes: bytesOf(layout),
    dataBytes: dataBytesOf(layout),
  }
}

/** On one filesystem source and target are both there for a moment; the device's probe lies beside them. */
function spaceNeeded({ source, target }: FinalizeOptions, layout: readonly LayoutEntry[]): number {
  const bytes = dataBytesOf(layout) + probeBytes(layout)
  try {
    return describeFilesystem(source).device === describeFilesystem(target).device ? 2 * bytes : bytes
  } catch {
    // A directory is missing, which is about to be told in better words.
    return bytes
  }
}

function probeBytes(layout: readonly LayoutEntry[]): number {
  return Math.min(dataBytesOf(layout), PROBE_BYTES)
}

async function measure(ground: Ground): Promise<Pick<FinalizeReport, 'candidates' | 'ratiosToCp' | 'limit'>> {
  const { options, layout, sourceRoot } = ground
  const { method, hash, readBack, engine } = options
  const candidates = await openCandidates(options.candidates, {
    method,
    hash,
    readBack,
    engine,
    isSparse: dataBytesOf(layout) < bytesOf(layout),
    journal: join(sourceRoot, 'moves.journal'),
  })
  try {
    const { samples, limits } = await runRounds(ground, candidates)
    const cp = samples.get('cp')
    const reports = candidates.map((each) => reportOf(each, samples.get(each.name) ?? [], cp, layout))
    const ours = reports.find(({ name }) => name === 'sealyard')?.ratiosToCp
    return {
      candidates: reports,
      ratiosToCp: {
        speed: ours?.speed?.median ?? null,
        processCpu: ours?.processCpu?.median ?? null,
        machineCpu: ours?.machineCpu?.median ?? null,
      },
      limit: {
        program: limitProgram(),
        readBytesPerSecond: summarize(limits.map((each) => each.readBytesPerSecond)).median,
        writeBytesPerSecond: summarize(limits.map((each) => each.writeBytesPerSecond)).median,
      },
    }
  } finally {
    for (const candidate of candidates) candidate.close()
  }
}

async function runRounds(ground: Ground, candidates: readonly Candidate[]) {
  const samples = new Map<CandidateName, MoveSample[]>(candidates.map(({ name }) => [name, []]))
  const limits: DeviceSample[] = []
  const { layout, sourceRoot, targetRoot, signal } = ground
  for (let round = 0; round < ground.options.rounds; round++) {
    // Who goes first changes, so that nobody always finds the disk as the same other left it.
    const turn = candidates.map((_, at) => candidates[(at + round) % candidates.length] as Candidate)
    for (const candidate of turn) samples.get(candidate.name)?.push(await sample(ground, candidate))
    limits.push(await deviceLimit(sourceRoot, targetRoot, probeBytes(layout), signal))
  }
  return { samples, limits }
}

async function sample(ground: Ground, candidate: Candidate): Promise<MoveSample> {
  const { options, layout, virtual, sourceRoot, targetRoot, signal } = ground
  const [sources, targets] = [filesOf(layout, sourceRoot), filesOf(layout, targetRoot)]
  if (!existsSync(sources[0] ?? '')) await writeLayout(layout, sourceRoot, signal)
  for (const file of sources) await (options.sourceState === 'hot' ? warmUp : dropCached)(file, signal)
  const before = await cachedBytes(sources, signal)
  if (virtual) await primeMemory(2 * dataBytesOf(layout) + PRIME_MARGIN_BYTES, signal)
  const work = () => candidate.move(layout, sourceRoot, targetRoot, signal)
  const { cost, result: method } = await measureCost('self', work)
  const after = {
    sourceCacheBytesBefore: before,
    sourceCacheBytes: candidate.removes ? null : await cachedBytes(sources, signal),
    targetCacheBytes: await cachedBytes(targets, signal),
  }
  for (const { name } of layout) await rm(join(targetRoot, name), { recursive: true })
  return { ...cost, ...after, method }
}

function reportOf(
  { name, label }: Candidate,
  samples: readonly MoveSample[],
  cp: readonly MoveSample[] | undefined,
  layout: readonly LayoutEntry[],
): CandidateReport {
  const gib = dataBytesOf(layout) / 2 ** 30
  const median = (value: (sample: MoveSample) => number | null): number | null => {
    const known = samples.flatMap((each) => value(each) ?? [])
    return known.length === 0 ? null : summarize(known).median
  }
  const seconds = summarize(samples.map((each) => each.seconds)).median
  return {
    name,
    label,
    secondsMedian: seconds,
    bytesPerSecond: bytesOf(layout) / seconds,
    processCpuSecondsPerGiB: (median((each) => each.cpuSeconds) ?? 0) / gib,
    machineCpuSecondsPerGiB: (median((each) => each.machineCpuSeconds) ?? 0) / gib,
    sourceCacheBytes: median((each) => each.sourceCacheBytes),
    targetCacheBytes: median((each) => each.targetCacheBytes),
    method: samples[0]?.method ?? '',
    ratiosToCp: ratiosTo(samples, cp),
    samples,
  }
}

function ratiosTo(samples: readonly MoveSample[], cp: readonly MoveSample[] | undefined): RatiosToCp {
  const column = (of: readonly MoveSample[], value: keyof Cost) => of.map((each) => each[value])
  const toCp = (value: keyof Cost) =>
    cp === undefined ? null : summarizeRatios(column(samples, value), column(cp, value))
  return {
    speed: cp === undefined ? null : summarizeRatios(column(cp, 'seconds'), column(samples, 'seconds')),
    processCpu: toCp('cpuSeconds'),
    machineCpu: toCp('machineCpuSeconds'),
  }
}
