/**
 * What a failure asks for: `temporary` retry later; `permanent` fail the task; `abort` stop the sector;
 * `critical` pause the worker.
 */
export type ErrorLevel = 'temporary' | 'permanent' | 'abort' | 'critical'

export interface SealyardErrorOptions {
  /** SCREAMING_SNAKE word that callers match; never match the message. */
  readonly code: string
  readonly level: ErrorLevel
  /** One line for an operator: what went wrong, and what to do. */
  readonly message: string
  /** Sector name, `s-t01000-7`. */
  readonly sector?: string | null
  /** UUID of the storage path, or its directory where it has none yet. */
  readonly storagePath?: string | null
  readonly cause?: unknown
}

/** The parent of each room's error class: `class StorageError extends SealyardError {}`. */
export class SealyardError extends Error {
  readonly code: string
  readonly level: ErrorLevel
  readonly sector: string | null
  readonly storagePath: string | null

  constructor(options: SealyardErrorOptions) {
    super(oneLine(options.message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = options.code
    this.level = options.level
    this.sector = options.sector ?? null
    this.storagePath = options.storagePath ?? null
  }
}

/** @returns whether `error` is ours, and has this code when one is given */
export function isSealyardError(error: unknown, code?: string): error is SealyardError {
  return error instanceof SealyardError && (code === undefined || error.code === code)
}

/** The `code` of ours or of a Node system error (`ENOENT`), or null. */
export function errorCode(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null
  return typeof error.code === 'string' ? error.code : null
}

/**
 * One line for a log or a terminal: the message, then the messages of its causes.
 * A cause whose text the message already contains is left out.
 */
export function describeError(error: unknown): string {
  const parts: string[] = []
  let at = error
  for (let depth = 0; at !== undefined && at !== null && depth < 5; depth++) {
    const text = oneLine(at instanceof Error ? at.message || at.name : thrownText(at))
    if (!parts.some((part) => part.includes(text))) parts.push(text)
    at = at instanceof Error ? at.cause : null
  }
  return parts.join(': ')
}

/** What somebody threw that is no Error. */
function thrownText(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? typeof thrown)
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').trim()
}
