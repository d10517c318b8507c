import { SealyardError } from '../base/errors.ts'

/**
 * Codes: `STATE_NEWER` (a newer version wrote it), `STATE_UNREADABLE` (not a database, no permission, …),
 * `STATE_FULL` (its disk is full), `STATE_IO` (its disk fails). The last two leave what was written before.
 */
export class StateError extends SealyardError {}
