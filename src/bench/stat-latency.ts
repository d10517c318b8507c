import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Candidate, type CandidateOptions, openCandidates } from './candidates.ts'
import { type LayoutEntry, writeLayout } from './layouts.ts'
import { describeFilesystem, describeMachine, type FilesystemFacts, type Machine } from './machine.ts'
import { makeScratch, removeScratch } from './scratch.ts'
import { percentile } from './statistics.ts'

export interface StatLatencyOptions {
  readonly source: string
  readonly target: string
  /** Of each file that is copied. */
  readonly sizeBytes: number
  readonly rounds: number
  /** Copies that run at a time, in this process. */
  readonly copies: number
}

/** How long `fs.stat` took, in milliseconds. */
export interface LatencyReport {
  readonly name: 'idle' | 'sealyard' | 'node'
  readonly calls: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface StatLatencyReport {
  readonly command: 'stat-latency'
  readonly machine: Machine
  readonly from: FilesystemFacts
  readonly to: FilesystemFacts
  readonly options: StatLatencyOptions
  readonly rounds: number
  readonly candidates: readonly LatencyReport[]
}

/** Between two calls: often enough for a p99, rare enough not to be the load. */
const PAUSE_MS = 2
/** Without copies nothing ends the measurement, so it lasts this long. */
const IDLE_MS = 1000

/**
 * How long the process that copies waits for a `fs.stat`: what a daemon's other work feels of running moves.
 * @throws BenchError, NativeError; leaves nothing behind
 */
export async function benchStatLatency(
  options: StatLatencyOptions,
  signal: AbortSignal,
): Promise<StatLatencyReport> {
  const scratches: string[] = []
  const needed = options.copies * options.sizeBytes
  try {
    for (const directory of [options.source, options.target]) {
      scratches.push(await makeScratch(directory, needed * (options.source === options.target ? 2 : 1)))
    }
    const [sourceRoot = '', targetRoot = ''] = scratches
    return {
      command: 'stat-latency',
      machine: describeMachine(),
      from: describeFilesystem(options.source),
      to: describeFilesystem(options.target),
      options,
      rounds: options.rounds,
      candidates: await measure(options, sourceRoot, targetRoot, signal),
    }
  } finally {
    for (const scratch of scratches) await removeScratch(scratch)
  }
}

async function measure(
  { sizeBytes, copies, rounds }: StatLatencyOptions,
  sourceRoot: string,
  targetRoot: string,
  signal: AbortSignal,
): Promise<LatencyReport[]> {
  const entries = Array.from({ length: copies }, (_, at) => entryOf(at, sizeBytes))
  await writeLayout(entries, sourceRoot, signal)
  const options: CandidateOptions = {
    method: 'copy',
    engine: 'auto',
    hash: 'off',
    readBack: false,
    isSparse: false,
    journal: join(sourceRoot, 'moves.journal'),
  }
  const candidates = await openCandidates(['sealyard', 'node'], options)
  const waits = new Map<LatencyReport['name'], number[]>([
    ['idle', []],
    ['sealyard', []],
    ['node', []],
  ])
  try {
    for (let round = 0; round < rounds; round++) {
      waits.get('idle')?.push(...(await statsDuring(sourceRoot, idle())))
      const turn = round % 2 === 0 ? candidates : candidates.toReversed()
      for (const each of turn) {
        const work = copyAll(each, entries, sourceRoot, targetRoot, signal)
        waits.get(each.name as LatencyReport['name'])?.push(...(await statsDuring(sourceRoot, work)))
        for (const { name } of entries) await rm(join(targetRoot, name))
      }
    }
  } finally {
    for (const each of candidates) each.close()
  }
  return [...waits].map(([name, all]) => reportOf(name, all))
}

function entryOf(at: number, bytes: number): LayoutEntry {
  return { name: `sealed/s-t01000-${at + 1}`, files: [{ inside: '', bytes, data: [{ at: 0, bytes }] }] }
}

async function copyAll(
  candidate: Candidate,
  entries: readonly LayoutEntry[],
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(entries.map((entry) => candidate.move([entry], from, to, signal)))
}

function idle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, IDLE_MS))
}

/** Asks for the stat of a directory again and again until `work` has ended. @returns milliseconds of each call */
async function statsDuring(directory: string, work: Promise<void>): Promise<number[]> {
  let isOver = false
  const end = work.finally(() => {
    isOver = true
  })
  const waits: number[] = []
  while (!isOver) {
    const begun = performance.now()
    await stat(directory)
    waits.push(performance.now() - begun)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  await end
  return waits
}

function reportOf(name: LatencyReport['name'], waits: readonly number[]): LatencyReport {
  return {
    name,
    calls: waits.length,
    p50Ms: percentile(waits, 50),
    p99Ms: percentile(waits, 99),
    maxMs: percentile(waits, 100),
  }
}
