import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BenchMover, type MeasuredMove, openBenchMover } from '../storage/bench-move.ts'
import { type Cost, measureCost } from './cpu.ts'
import { describeFilesystem, describeMachine, type FilesystemFacts, type Machine } from './machine.ts'
import { type MovePeer, type MovePeerName, movePeer } from './move-peers.ts'
import { cachedBytes, dropCached, primeMemory, warmUp } from './page-cache.ts'
import { makeScratch, removeScratch, writeSectorFile } from './scratch.ts'
import { compareRounds, type Ratios } from './statistics.ts'

export interface FinalizeOptions {
  readonly sizeBytes: number
  readonly rounds: number
  readonly from: string
  readonly to: string
  readonly peer: MovePeerName
  readonly method: MeasuredMove['method']
  /** Whether the source is in the page cache when a move begins. */
  readonly source: 'cold' | 'hot'
}

/** One move of one side; its CPU is that of this process and of the programs it waited for. */
export interface MoveSample extends Cost {
  /** What of the target is in the page cache afterwards; null where that cannot be told. */
  readonly cachedBytes: number | null
  /** How we did it, or the peer's name. */
  readonly method: string
}

export interface FinalizeReport extends Ratios {
  readonly command: 'finalize'
  readonly machine: Machine
  readonly from: FilesystemFacts
  readonly to: FilesystemFacts
  readonly options: FinalizeOptions
  readonly peer: string
  readonly rounds: readonly { readonly ours: MoveSample; readonly peer: MoveSample }[]
}

const NAME = 'sealed/s-t01000-1'

/** The two directories, and how to get a file from one to the other. */
interface Ground {
  readonly options: FinalizeOptions
  readonly virtual: boolean
  readonly sourceRoot: string
  readonly targetRoot: string
  readonly signal: AbortSignal
}

/** Moves a file by us and by the peer, in turn. @throws BenchError, NativeError; leaves nothing behind */
export async function benchFinalize(options: FinalizeOptions, signal: AbortSignal): Promise<FinalizeReport> {
  const machine = describeMachine()
  const peer = movePeer(options.peer)
  const scratches: string[] = []
  try {
    for (const directory of [options.from, options.to]) {
      scratches.push(await makeScratch(directory, copiesOnOneDisk(options) * options.sizeBytes))
    }
    const [sourceRoot = '', targetRoot = ''] = scratches
    const ground = { options, virtual: machine.virtual, sourceRoot, targetRoot, signal }
    const rounds = await measure(ground, peer)
    return {
      command: 'finalize',
      machine,
      from: describeFilesystem(options.from),
      to: describeFilesystem(options.to),
      options,
      peer: peer.label,
      rounds,
      ...compareRounds(rounds),
    }
  } finally {
    for (const scratch of scratches) await removeScratch(scratch)
  }
}

/** On one filesystem source and target are both there for a moment. */
function copiesOnOneDisk({ from, to }: FinalizeOptions): number {
  try {
    return describeFilesystem(from).device === describeFilesystem(to).device ? 2 : 1
  } catch {
    // A directory is missing, which is about to be told in better words.
    return 1
  }
}

async function measure(ground: Ground, peer: MovePeer): Promise<FinalizeReport['rounds']> {
  const { options, sourceRoot, targetRoot, signal } = ground
  const mover = await openBenchMover(join(sourceRoot, 'moves.journal'))
  const byUs = () => moveByUs(mover, ground)
  const byPeer = async () => {
    await peer.move(join(sourceRoot, NAME), join(targetRoot, NAME), signal)
    return peer.label
  }
  const rounds: { ours: MoveSample; peer: MoveSample }[] = []
  try {
    for (let round = 0; round < options.rounds; round++) {
      // Who goes first changes, so that neither always finds the disk as the other left it.
      const first = round % 2 === 0 ? await sample(ground, byUs) : null
      const other = await sample(ground, byPeer)
      rounds.push({ ours: first ?? (await sample(ground, byUs)), peer: other })
    }
    return rounds
  } finally {
    mover.close()
  }
}

async function moveByUs(
  mover: BenchMover,
  { options, sourceRoot, targetRoot, signal }: Ground,
): Promise<string> {
  const { method } = await mover.move({ sourceRoot, targetRoot, name: NAME, method: options.method }, signal)
  return method
}

async function sample(ground: Ground, move: () => Promise<string>): Promise<MoveSample> {
  const { options, virtual, signal } = ground
  const [source, target] = [join(ground.sourceRoot, NAME), join(ground.targetRoot, NAME)]
  await writeSectorFile(source, options.sizeBytes, signal)
  await (options.source === 'hot' ? warmUp(source, signal) : dropCached(source, signal))
  if (virtual) await primeMemory(2 * options.sizeBytes + 2 ** 26, signal)
  const { cost, result: method } = await measureCost('self', move)
  const cached = await cachedBytes(target, signal)
  await rm(target)
  return { ...cost, cachedBytes: cached, method }
}
