import { SealyardError } from '../base/errors.ts'

/** Codes: `STATE_NEWER` (a newer version wrote it), `STATE_UNREADABLE` (not a database, no permission, …). */
export class StateError extends SealyardError {}
