import { SealyardError } from '../base/errors.ts'

/** What a sealing task failed with; `code` says how, `level` what to do. */
export class ProofError extends SealyardError {}
