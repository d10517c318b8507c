import type { SectorLine, SectorStatus } from '../protocol/types.ts'
import { base64OfHex, sealedCid, unsealedCid } from '../sectors/commitments.ts'
import type { SectorEventRow } from '../state/tables.ts'
import { dataPieces, isCommit2Deferred, type SectorRecord } from './sector-record.ts'
import type { SectorHistory } from './sector-store.ts'
import { waitingForWorkers } from './workers-back.ts'

/** What a sector's record does not say by itself. */
export interface Surroundings {
  readonly offline: boolean
  /** Milliseconds since 1970 when C2 waits for workers to connect again; else null. */
  readonly workersAwaitedUntil: number | null
  /** Absolute path of the kept output of C1. */
  readonly commit1Path: string | null
}

/** A sector with its proof and its log. */
export function statusOf(
  record: SectorRecord,
  events: readonly Pick<SectorEventRow, 'at' | 'kind' | 'message' | 'trace'>[],
  around: Surroundings,
): SectorStatus {
  return {
    ...fieldsOf(record),
    Proof: record.proof,
    Log: events.map((event) => ({
      Kind: event.kind,
      Timestamp: Math.floor(event.at / 1000),
      Trace: event.trace,
      Message: event.message,
    })),
    Sealyard: { ...extrasOf(record, around), logTimes: events.map((event) => event.at) },
  }
}

/** A sector among many. @param history null for one without a log */
export function lineOf(
  record: SectorRecord,
  history: SectorHistory | null,
  around: Surroundings,
): SectorLine {
  return {
    ...fieldsOf(record),
    Events: history?.events ?? 0,
    FirstEventAt: history?.firstAt ?? null,
    ProvingAt: history?.provingAt ?? null,
    Sealyard: extrasOf(record, around),
  }
}

/** The field's keys. */
function fieldsOf(record: SectorRecord) {
  return {
    SectorID: record.id.Number,
    State: record.state,
    CommD: record.commD === null ? null : unsealedCid(record.commD),
    CommR: record.commR === null ? null : sealedCid(record.commR),
    Ticket: randomness(record.ticket, record.ticketEpoch),
    Seed: randomness(record.seed, record.seedEpoch),
    PreCommitMsg: message(record.preCommitMessage),
    CommitMsg: message(record.commitMessage),
    Retries: record.retries,
    LastErr: record.lastError ?? '',
    SealProof: record.proofType,
  }
}

function extrasOf(record: SectorRecord, { offline, workersAwaitedUntil, commit1Path }: Surroundings) {
  return {
    Miner: record.id.Miner,
    offline,
    commit2: commit2Words(record, workersAwaitedUntil),
    commit2Input: commit1Path,
    pieces: dataPieces(record).map(({ size, dataBytes, commitment }) => ({
      size,
      dataBytes,
      commitment: commitment ?? '',
    })),
    keepUnsealed: record.keepUnsealed,
    paused: record.paused,
  }
}

function randomness(hex: string | null, epoch: number | null) {
  return { Value: hex === null ? null : base64OfHex(hex), Epoch: epoch ?? 0 }
}

function message(cid: string | null) {
  return cid === null ? null : { '/': cid }
}

/** What C2 waits for and what to do about it, or null. */
function commit2Words(record: SectorRecord, workersAwaitedUntil: number | null): string | null {
  if (workersAwaitedUntil !== null) return waitingForWorkers(workersAwaitedUntil)
  if (!isCommit2Deferred(record)) return null
  // C1 is left out only where nothing is sealed.
  if (record.commit1File === null)
    return "none: the executor 'shape' seals nothing, there is nothing to prove"
  const { Number: number } = record.id
  const where =
    record.state === 'Proving' ? 'the proof is still missing and nothing was committed' : 'the rest goes on'
  return (
    `deferred, ${where}: no worker could run C2; some minutes after one can it is taken up ('sectors commit2 ${number}' does so at once); ` +
    `or prove it elsewhere ('sectors commit2-input ${number} --output FILE') and run 'sectors import-proof ${number} FILE'`
  )
}
