import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { FakeClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Chain } from '../../src/chain/chain.ts'
import { OfflineChain } from '../../src/chain/offline-chain.ts'
import { Pipeline, type PipelineOptions } from '../../src/pipeline/pipeline.ts'
import type { SealerExecutor } from '../../src/pipeline/step.ts'
import type { ReaderSource } from '../../src/protocol/connections.ts'
import type { SectorStatus } from '../../src/protocol/types.ts'
import type { SectorTasks } from '../../src/scheduler/sector-tasks.ts'
import { sealedCid, unsealedCid } from '../../src/sectors/commitments.ts'
import { paddedSize } from '../../src/sectors/proof-types.ts'
import { openSealerState } from '../../src/state/open.ts'

export const MIN_RETRY_MS = 60_000
export const MINER = 1005
/** What the scripted C1 and C2 answer. */
export const COMMIT1 = Buffer.from('{"vanilla":"proofs"}')
export const PROOF = Buffer.alloc(192, 7)

const hash = (...parts: (string | Buffer)[]) => {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex')
}

/** What a piece's commitment is in these tests: a hash of its data and its size. */
export const commitmentOf = (data: string | Buffer, padded: number) => hash(data, String(padded))

/** Fails a call, or holds it until its signal fires; called with the call's name each time. */
export type Script = (call: string, signal?: AbortSignal) => Promise<void> | void

export interface Cluster {
  /** Names of all calls to workers and chain, in order. */
  readonly calls: string[]
  script: Script
  /** Sector → the task whose result it may still ask for, as the scheduler was told last. */
  readonly settled: Map<number, string | null>
  /** Whether some worker runs C2. */
  commit2: boolean
  readonly executor: 'prover' | 'shape'
  /** The comm_r that PC2 answers. */
  commR: string
  /** What C2 answers. */
  proof: Buffer
  /** Whether the verifying key is here, and which proof it finds good. */
  verifyingKey: boolean
  /** Whether the window PoSt parameters are here. */
  postParameters: boolean
  /** Bytes that a reader brings, by its Info. */
  readonly offered: Map<string, Buffer>
}

function scriptedTasks(cluster: Cluster): SectorTasks {
  const called = async (call: string, signal?: AbortSignal) => {
    cluster.calls.push(call)
    await cluster.script(call, signal)
  }
  return {
    addPiece: async (_sector, existing, size, data, signal) => {
      await called(`AP ${existing.join('+') || '0'} ${size} ${data.kind}`, signal)
      const bytes = data.kind === 'file' ? (await readFile(data.file)).subarray(0, data.dataBytes) : ''
      const Size = paddedSize(size)
      return { Size, PieceCID: unsealedCid(commitmentOf(bytes, Size)) }
    },
    preCommit1: async (_sector, _ticket, _pieces, signal) => {
      await called('PC1', signal)
      return Buffer.from('layers').toString('base64')
    },
    preCommit2: async (_sector, _output, signal) => {
      await called('PC2', signal)
      return { Unsealed: unsealedCid(hash('d')), Sealed: sealedCid(cluster.commR) }
    },
    commit1: async (_sector, _ticket, _seed, _pieces, _cids, signal) => {
      await called('C1', signal)
      return COMMIT1.toString('base64')
    },
    commit2: async (_sector, output, signal) => {
      await called(`C2 ${Buffer.from(output, 'base64').toString()}`, signal)
      return cluster.proof.toString('base64')
    },
    canCommit2: async () => cluster.commit2,
    settle: async (sector, wanted) => void cluster.settled.set(sector.Number, wanted),
    finalize: (_sector, keep, signal) =>
      called(`FIN ${keep.map((range) => `${range.Offset}+${range.Size}`).join(' ') || 'nothing'}`, signal),
    unseal: (_sector, _ticket, cid, signal) => called(`UNS ${cid}`, signal),
    remove: () => called('remove'),
  }
}

function recordedChain(cluster: Cluster, chain: Chain): Chain {
  const recorded =
    <A extends unknown[], R>(name: string, run: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      cluster.calls.push(name)
      await cluster.script(
        name,
        args.find((arg) => arg instanceof AbortSignal),
      )
      return run(...args)
    }
  return {
    offline: chain.offline,
    ticket: recorded('ticket', chain.ticket.bind(chain)),
    submitPreCommit: recorded('submitPreCommit', chain.submitPreCommit.bind(chain)),
    preCommitLanded: recorded('preCommitLanded', chain.preCommitLanded.bind(chain)),
    seed: recorded('seed', chain.seed.bind(chain)),
    submitCommit: recorded('submitCommit', chain.submitCommit.bind(chain)),
    commitLanded: recorded('commitLanded', chain.commitLanded.bind(chain)),
  }
}

const unexpected = async (): Promise<never> => {
  throw new Error('this test expects no such task')
}

function scriptedExecutor(cluster: Cluster): SealerExecutor {
  const nothing = {
    addPiece: unexpected,
    preCommit1: unexpected,
    preCommit2: unexpected,
  }
  const more = { commit1: unexpected, commit2: unexpected, finalize: unexpected, unseal: unexpected }
  const post = { vanillaPost: unexpected }
  return {
    kind: cluster.executor,
    description: 'scripted',
    ...nothing,
    ...more,
    ...post,
    freeUnsealed: unexpected,
    canCommit2: async () => cluster.commit2,
    canVerifySeal: async () => cluster.verifyingKey,
    canProvePost: async () => cluster.postParameters,
    verifySeal: async ({ proof }) => PROOF.equals(proof),
    pieceCommitment: async ({ pieceBytes, source }) => {
      const data = source.kind === 'file' ? await readFile(source.file) : ''
      const paddedBytes = paddedSize(pieceBytes)
      return { commitment: commitmentOf(data, paddedBytes), paddedBytes }
    },
    readUnsealed: async ({ unsealed, offset, size, output }) => {
      const bytes = (await readFile(unsealed)).subarray(offset, offset + size)
      await writeFile(output, bytes, { flag: 'wx' })
      return bytes.length
    },
    postChallenges: async ({ sectors }) => new Map(sectors.map((number) => [number, [number, 9]])),
    windowPost: async ({ vanillaProofs }) => Buffer.concat(vanillaProofs),
    verifyWindowPost: async () => true,
  }
}

function scriptedReaders(cluster: Cluster): ReaderSource {
  return {
    receive: async ({ Info }, target, limitBytes) => {
      const bytes = cluster.offered.get(Info)
      if (bytes === undefined) throw new Error(`nobody pushes ${Info}`)
      if (bytes.length > limitBytes) throw new Error('too long')
      await writeFile(target, bytes, { flag: 'wx' })
      return { bytes: bytes.length }
    },
  }
}

export interface PipelineAtHand {
  readonly repo: string
  readonly clock: FakeClock
  readonly cluster: Cluster
  readonly pipeline: () => Pipeline
  readonly api: () => Pipeline['api']
  /** Closes the pipeline and opens it again on the same state, as after a restart of the sealer. */
  readonly restart: () => Promise<void>
  /** Comes back when a sector is in this state. */
  readonly until: (number: number, state: string) => Promise<SectorStatus>
  /** Waits until a failed sector waits, then lets the time to its retry pass. */
  readonly retry: () => Promise<void>
}

/** A pipeline over a real state file and a real repo, with workers and a chain that do as they are told. */
export async function pipelineAtHand(
  t: ExecutionContext,
  rest: Partial<PipelineOptions> = {},
  executor: Cluster['executor'] = 'prover',
): Promise<PipelineAtHand> {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-pipeline-'))
  const clock = new FakeClock()
  const cluster: Cluster = {
    calls: [],
    settled: new Map(),
    script: () => undefined,
    commit2: true,
    commR: hash('r'),
    executor,
    proof: PROOF,
    verifyingKey: true,
    postParameters: true,
    offered: new Map(),
  }
  const chain = recordedChain(cluster, new OfflineChain({ clock, waitMs: 0 }))
  const open = async () => {
    const state = await openSealerState(join(repo, 'state.sqlite'))
    const pipeline = await Pipeline.open({
      db: state.db,
      tasks: scriptedTasks(cluster),
      index: { StorageFindSector: async () => [], StorageList: async () => ({}) },
      storage: { find: async () => null, fetch: async () => undefined, allocated: async () => true },
      executor: scriptedExecutor(cluster),
      readers: scriptedReaders(cluster),
      ...{
        chain,
        repo,
        clock,
        miner: MINER,
        sectorSize: 2048,
        keepUnsealed: false,
        minRetryMs: MIN_RETRY_MS,
      },
      token: async () => 'a-token',
      log: silentLogger,
      ...rest,
    })
    return { state, pipeline }
  }
  let current = await open()
  const close = async () => {
    await current.pipeline.close(1000)
    await current.state.close()
  }
  t.teardown(async () => {
    await close()
    await rm(repo, { recursive: true, force: true })
  })
  return {
    repo,
    clock,
    cluster,
    pipeline: () => current.pipeline,
    api: () => current.pipeline.api,
    restart: async () => {
      await close()
      current = await open()
    },
    until: (number, state) => untilState(() => current.pipeline, number, state),
    retry: async () => {
      await turns(() => clock.sleeping > 0)
      await clock.advance(MIN_RETRY_MS)
    },
  }
}

/**
 * Lets the event loop turn until something is so; the files underneath are real, so the number of turns is
 * not known.
 */
export async function turns(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}

async function untilState(pipeline: () => Pipeline, number: number, state: string): Promise<SectorStatus> {
  let status = await pipeline().api.SectorsStatus(number, false)
  await turns(async () => {
    status = await pipeline().api.SectorsStatus(number, false)
    return status.State === state
  })
  return status
}

/** States in the order a sector went through them, from its log. */
export function statesOf(status: SectorStatus): string[] {
  return status.Log.flatMap(({ Message }) => /; (?:\w+ → |now )(\w+)$/.exec(Message)?.[1] ?? [])
}
