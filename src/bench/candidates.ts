import { constants, copyFile, mkdir, open, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type BenchMover,
  type MeasuredEngine,
  type MeasuredMove,
  openBenchMover,
} from '../storage/bench-move.ts'
import type { LayoutEntry } from './layouts.ts'
import { findProgram, needProgram, run } from './programs.ts'

export const CANDIDATES = ['sealyard', 'cp', 'mv', 'rsync', 'node'] as const
export type CandidateName = (typeof CANDIDATES)[number]

/** One way to get entries from one directory into another, durably. */
export interface Candidate {
  readonly name: CandidateName
  /** What is timed, in words. */
  readonly label: string
  /** Whether its source is gone afterwards. */
  readonly removes: boolean
  /** @returns by which method */
  move(entries: readonly LayoutEntry[], from: string, to: string, signal: AbortSignal): Promise<string>
  close(): void
}

export interface CandidateOptions {
  readonly method: MeasuredMove['method']
  readonly hash: MeasuredMove['hash']
  readonly readBack: boolean
  readonly engine: MeasuredEngine
  /** Whether there are holes that rsync has to be told to keep. */
  readonly isSparse: boolean
  /** Where the mover keeps its journal. */
  readonly journal: string
}

/** Those of `names` that can be had here, in that order. @throws BenchError NO_PEER for one that cannot */
export async function openCandidates(
  names: readonly CandidateName[],
  options: CandidateOptions,
): Promise<Candidate[]> {
  const candidates: Candidate[] = []
  for (const name of names) {
    candidates.push(name === 'sealyard' ? await sealyard(options) : peer(name, options))
  }
  return candidates
}

/** All that are installed; for who names none. */
export function installedCandidates(): CandidateName[] {
  return CANDIDATES.filter((name) => name === 'sealyard' || name === 'node' || findProgram(name) !== null)
}

async function sealyard(options: CandidateOptions): Promise<Candidate> {
  const { method, hash, readBack, engine, journal } = options
  const mover: BenchMover = await openBenchMover(journal, engine)
  // A copy leaves its source, so that it can be seen what became of its pages; the others are moves by nature.
  const removes = method !== 'copy'
  return {
    name: 'sealyard',
    label: `move as daemons do, journal and fsync${removes ? ' and removal' : ''}`,
    removes,
    async move(entries, sourceRoot, targetRoot, signal) {
      const methods = new Set<string>()
      for (const { name } of entries) {
        const request = { sourceRoot, targetRoot, name, method, hash, readBack, keepSource: !removes }
        const done = await mover.move(request, signal)
        methods.add(done.engine === null ? done.method : `${done.method}, ${done.engine}`)
      }
      return [...methods].join(' and ')
    },
    close: () => mover.close(),
  }
}

function peer(name: Exclude<CandidateName, 'sealyard'>, options: CandidateOptions): Candidate {
  if (name === 'node') return node()
  const program = needProgram(name, 'install it, or leave it out of --candidates')
  const sync = needProgram('sync', 'it is part of GNU coreutils')
  const words: Readonly<Record<typeof name, { label: string; flags: string[] }>> = {
    cp: { label: 'cp -R, fsync', flags: ['-R'] },
    mv: { label: 'mv, fsync', flags: [] },
    rsync: {
      label: 'rsync --fsync',
      flags: ['-a', '--whole-file', '--fsync', ...(options.isSparse ? ['-S'] : [])],
    },
  }
  const { label, flags } = words[name]
  return {
    name,
    label,
    removes: name === 'mv',
    async move(entries, from, to, signal) {
      for (const entry of entries) {
        const target = join(to, entry.name)
        await mkdir(dirname(target), { recursive: true })
        await run(
          program,
          [...flags, join(from, entry.name), name === 'rsync' ? dirname(target) : target],
          signal,
        )
        if (name !== 'rsync') await run(sync, await durableNames(target), signal)
      }
      return name
    },
    close: () => undefined,
  }
}

/** Node's own copy, which runs in its pool of threads. */
function node(): Candidate {
  return {
    name: 'node',
    label: 'fs.copyFile, fsync',
    removes: false,
    async move(entries, from, to) {
      for (const { name, files } of entries) {
        for (const { inside } of files) {
          const target = join(to, name, inside)
          await mkdir(dirname(target), { recursive: true })
          await copyFile(join(from, name, inside), target, constants.COPYFILE_EXCL)
        }
        for (const path of await durableNames(join(to, name))) await syncPath(path)
      }
      return 'copyFile'
    },
    close: () => undefined,
  }
}

/** What has to be synced for an entry to survive a power cut: its files, itself, and its name. */
async function durableNames(target: string): Promise<string[]> {
  const isDirectory = (await stat(target)).isDirectory()
  const inside = isDirectory ? (await readdir(target)).map((name) => join(target, name)) : []
  return [...inside, target, dirname(target)]
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
