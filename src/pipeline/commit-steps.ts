import { sealedCid, unsealedCid } from '../sectors/commitments.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { pipelineError } from './errors.ts'
import { madeUp } from './precommit-steps.ts'
import { checkProof } from './seal-proof.ts'
import { known, pieceInfos, refOf, type SectorRecord, seedOf, ticketOf } from './sector-record.ts'
import type { Step, StepTools } from './step.ts'
import { waitingForWorkers, workersAwaitedUntil } from './workers-back.ts'

/** How often to look for workers that come back. */
const LOOK_AGAIN_MS = 1000

/** C1, kept as a file, then C2; without anybody who can run C2 the sector goes on and C2 waits. */
export const committing: Step = async (record, tools, signal) => {
  if (tools.executor.kind === 'shape') return nothingToProve(record)
  if (record.commit1File === null) return commit1(record, tools, signal)
  if (!(await canCommit2(record, tools, signal))) return deferCommit2(record)
  const output = await keptOutput(record, tools)
  if (output === null) return lostOutput(record)
  const proof = await tools.tasks.commit2(refOf(record), output, signal)
  const verified = await checkProof(record, Buffer.from(proof, 'base64'), tools, signal)
  const words = verified ? 'verified' : 'not verified: the verifying key is not here'
  return { to: 'SubmitCommit', set: { proof }, event: { kind: 'C2', message: `proof is made, ${words}` } }
}

/** Right after a start the worker that could, or that does already, may not have connected again yet. */
async function canCommit2(record: SectorRecord, tools: StepTools, signal: AbortSignal): Promise<boolean> {
  const { tasks, clock } = tools
  let isTold = false
  for (;;) {
    if (await tasks.canCommit2(refOf(record))) return true
    const until = workersAwaitedUntil(record, tools)
    if (until === null) return false
    if (!isTold) await tellOfWaiting(record, until, tools)
    isTold = true
    await clock.sleep(LOOK_AGAIN_MS, signal)
  }
}

/** Nothing is queued meanwhile and no job runs: the sector's own log says what it is at. */
async function tellOfWaiting({ id, state }: SectorRecord, until: number, { store }: StepTools) {
  const event = { kind: 'C2', message: waitingForWorkers(until) }
  await store.change(id.Number, (now) => (now.state === state ? { event } : null))
}

async function commit1(record: SectorRecord, tools: StepTools, signal: AbortSignal) {
  const cids = {
    Unsealed: unsealedCid(known(record.commD, record, 'comm_d')),
    Sealed: sealedCid(known(record.commR, record, 'comm_r')),
  }
  const ticket = ticketOf(record)
  const output = await tools.tasks.commit1(
    refOf(record),
    ticket,
    seedOf(record),
    pieceInfos(record),
    cids,
    signal,
  )
  const commit1File = await tools.commit1Files.write(record.id, output)
  return { set: { commit1File }, event: { kind: 'C1', message: `output is kept in ${commit1File}` } }
}

/** For storage benchmarks the files go the way of sealed ones; only C1 and C2 have no meaning. */
function nothingToProve(record: SectorRecord) {
  const message = "skipped with C2: the executor 'shape' seals nothing, so there is nothing to prove"
  return { to: afterProof(record), event: { kind: 'C1', message } }
}

function afterProof(record: SectorRecord): 'Proving' | 'FinalizeSector' {
  return record.finalized ? 'Proving' : 'FinalizeSector'
}

function deferCommit2(record: SectorRecord) {
  const { sizeName } = sealProof(record.proofType)
  const message = `deferred: no worker can run C2 for ${sizeName} sectors now; C1's output is kept`
  return { to: afterProof(record), event: { kind: 'C2', message } }
}

async function keptOutput(record: SectorRecord, { commit1Files }: StepTools): Promise<string | null> {
  return commit1Files.read(known(record.commit1File, record, "C1's output"))
}

/** As long as the cache is whole, C1 can simply be made again. */
function lostOutput(record: SectorRecord) {
  if (!record.finalized) {
    const message = `the output of C1 is gone from ${record.commit1File}; it is made again`
    return { set: { commit1File: null }, event: { kind: 'C1', message } }
  }
  throw pipelineError({
    code: 'NO_COMMIT1',
    message: `the output of C1 is gone from ${record.commit1File} and the cache is trimmed; put the file back, or import a proof made from a copy of it`,
    sector: record.id,
  })
}

export const submitCommit: Step = async (record, { chain }, signal) => {
  const proof = Buffer.from(known(record.proof, record, 'a proof'), 'base64')
  const message = await chain.submitCommit({ sector: record.id, proof }, signal)
  return {
    to: 'CommitWait',
    set: { commitMessage: message },
    event: { kind: 'chain', message: `commit is message ${message}${madeUp(chain.offline)}` },
  }
}

export const commitWait: Step = async (record, { chain, commit1Files }, signal) => {
  const message = known(record.commitMessage, record, 'a commit message')
  const epoch = await chain.commitLanded(message, signal)
  // The proof has been taken: what it was made from is of no more use.
  if (record.commit1File !== null) await commit1Files.remove(record.commit1File)
  return {
    to: afterProof(record),
    set: { commit1File: null },
    event: { kind: 'chain', message: `commit landed in epoch ${epoch}${madeUp(chain.offline)}` },
  }
}
