import { sealedCid, sealedCommitment, unsealedCommitment } from '../sectors/commitments.ts'
import { pipelineError } from './errors.ts'
import { known, pieceInfos, refOf, type SectorRecord, ticketOf } from './sector-record.ts'
import type { Step } from './step.ts'

export const getTicket: Step = async (record, { chain }, signal) => {
  const ticket = await chain.ticket(record.id, signal)
  return {
    to: 'PreCommit1',
    set: { ticket: ticket.value, ticketEpoch: ticket.epoch },
    event: { kind: 'chain', message: `ticket of epoch ${ticket.epoch}${madeUp(chain.offline)}` },
  }
}

export const preCommit1: Step = async (record, { tasks }, signal) => {
  const phase1Output = await tasks.preCommit1(refOf(record), ticketOf(record), pieceInfos(record), signal)
  return {
    to: 'PreCommit2',
    set: { phase1Output, preCommit2Fails: 0 },
    event: { kind: 'PC1', message: 'layers are made' },
  }
}

export const preCommit2: Step = async (record, { tasks }, signal) => {
  const phase1Output = known(record.phase1Output, record, "PC1's output")
  const cids = await tasks.preCommit2(refOf(record), phase1Output, signal)
  const commD = unsealedCommitment(cids.Unsealed)
  const commR = sealedCommitment(cids.Sealed)
  demandSame(record, commD, commR)
  return {
    to: afterPreCommit2(record),
    set: { commD, commR },
    event: { kind: 'PC2', message: `sealed, comm_r ${cids.Sealed['/']}` },
  }
}

/** A sector whose cache C1 could not use comes by again: what the chain was told is not told twice. */
function afterPreCommit2(
  record: SectorRecord,
): 'PreCommitting' | 'PreCommitWait' | 'WaitSeed' | 'Committing' {
  if (record.preCommitMessage === null) return 'PreCommitting'
  if (record.preCommitEpoch === null) return 'PreCommitWait'
  return record.seed === null ? 'WaitSeed' : 'Committing'
}

/**
 * The same ticket and pieces give the same commitments; with others the sector is not the one that was pre-committed.
 * @throws PipelineError COMMITMENT_CHANGED, abort
 */
function demandSame(record: SectorRecord, commD: string, commR: string): void {
  if (record.commR === null || (record.commR === commR && record.commD === commD)) return
  throw pipelineError({
    code: 'COMMITMENT_CHANGED',
    level: 'abort',
    message:
      `PC2 made comm_r ${sealedCid(commR)['/']}, but the sector has ${sealedCid(record.commR)['/']} already: ` +
      'its unsealed data or its layers have changed, or the worker computes wrongly',
    sector: record.id,
  })
}

export const preCommitting: Step = async (record, { chain }, signal) => {
  const message = await chain.submitPreCommit(
    {
      sector: record.id,
      proofType: record.proofType,
      commD: known(record.commD, record, 'comm_d'),
      commR: known(record.commR, record, 'comm_r'),
      ticketEpoch: known(record.ticketEpoch, record, "the ticket's epoch"),
    },
    signal,
  )
  return {
    to: 'PreCommitWait',
    set: { preCommitMessage: message },
    event: { kind: 'chain', message: `pre-commit is message ${message}${madeUp(chain.offline)}` },
  }
}

export const preCommitWait: Step = async (record, { chain }, signal) => {
  const message = known(record.preCommitMessage, record, 'a pre-commit message')
  const epoch = await chain.preCommitLanded(message, signal)
  return {
    to: 'WaitSeed',
    set: { preCommitEpoch: epoch },
    event: { kind: 'chain', message: `pre-commit landed in epoch ${epoch}${madeUp(chain.offline)}` },
  }
}

export const waitSeed: Step = async (record, { chain }, signal) => {
  const landed = known(record.preCommitEpoch, record, "the pre-commit's epoch")
  const seed = await chain.seed(record.id, landed, signal)
  return {
    to: 'Committing',
    set: { seed: seed.value, seedEpoch: seed.epoch },
    event: { kind: 'chain', message: `seed of epoch ${seed.epoch}${madeUp(chain.offline)}` },
  }
}

/** What an offline chain says must not be taken for a chain's word, in logs neither. */
export function madeUp(offline: boolean): string {
  return offline ? ' (offline: made up locally)' : ''
}
