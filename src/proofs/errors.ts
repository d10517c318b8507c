import { SealyardError } from '../base/errors.ts'

/** What a sealing task failed with; `code` says how, `level` what to do. */
export class ProofError extends SealyardError {}

export type ProofErrorCode =
  /** The signal ended the task; its child is gone. */
  | 'TASK_ABORTED'
  /** The task itself makes no sense: sizes that do not fit, an output that is already there. */
  | 'BAD_TASK'
  /** PC2 would run over its own leftovers: PC1 has to run again first. */
  | 'NOT_RESTARTABLE'
  /** What was sealed is not what it should be: layers of another ticket, damaged files, foreign pieces. */
  | 'BAD_SECTOR'
  /** A file that the task needs is not there. */
  | 'MISSING_FILE'
  /** The data of a piece is shorter than was said. */
  | 'SHORT_SOURCE'
  /** The unsealed file is cut short, or what follows its data is no trailer. */
  | 'BAD_UNSEALED'
  /** The unsealed file does not hold this range. */
  | 'NOT_UNSEALED'
  /** Groth16 parameters are missing or cut short. */
  | 'NO_PARAMETERS'
  | 'NO_SPACE'
  | 'IO'
  /** The child ended without an answer: killed, out of memory, a bus error on a full disk. */
  | 'PROVER_DIED'
  /** The child hit a bug, its own or the proofs crates'. */
  | 'PROVER_PANICKED'
  /** The child did not keep to the line protocol. */
  | 'PROVER_PROTOCOL'
  /** The directory of SDR parents, which labelling needs, takes no files. */
  | 'PARENTS_UNWRITABLE'
  /** There is no prover to start. */
  | 'PROVER_MISSING'
  /** The executor is `shape`. */
  | 'DOES_NOT_SEAL'

const LEVELS: Readonly<Record<ProofErrorCode, ProofError['level']>> = {
  TASK_ABORTED: 'temporary',
  BAD_TASK: 'permanent',
  NOT_RESTARTABLE: 'permanent',
  BAD_SECTOR: 'permanent',
  MISSING_FILE: 'permanent',
  SHORT_SOURCE: 'permanent',
  BAD_UNSEALED: 'permanent',
  NOT_UNSEALED: 'permanent',
  NO_PARAMETERS: 'permanent',
  NO_SPACE: 'temporary',
  IO: 'temporary',
  PROVER_DIED: 'temporary',
  PROVER_PANICKED: 'permanent',
  PROVER_PROTOCOL: 'temporary',
  // This host cannot seal at all; another one may.
  PARENTS_UNWRITABLE: 'critical',
  PROVER_MISSING: 'critical',
  DOES_NOT_SEAL: 'permanent',
}

/** @param sector name of the sector, where there is one */
export function proofError(
  code: ProofErrorCode,
  message: string,
  more: { readonly sector?: string | null; readonly cause?: unknown } = {},
): ProofError {
  return new ProofError({ code, level: LEVELS[code], message, ...more })
}

/** Words of the child's answers (crates/prover/protocol.md) and what they are here. */
const KINDS: Readonly<Record<string, ProofErrorCode>> = {
  'bad-request': 'BAD_TASK',
  'not-restartable': 'NOT_RESTARTABLE',
  'bad-sector': 'BAD_SECTOR',
  'missing-file': 'MISSING_FILE',
  'source-too-short': 'SHORT_SOURCE',
  'bad-unsealed-file': 'BAD_UNSEALED',
  'not-unsealed': 'NOT_UNSEALED',
  'missing-parameters': 'NO_PARAMETERS',
  'no-space': 'NO_SPACE',
  io: 'IO',
}

/** @returns null for a word that this version does not know */
export function codeOfKind(kind: string): ProofErrorCode | null {
  return KINDS[kind] ?? null
}
