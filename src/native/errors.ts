/** What a native failure is about; callers match this, never the message. */
export type NativeErrorCode =
  /** ENOSPC, EDQUOT or no inodes left: the source is intact, the temporary name is gone. */
  | 'NO_SPACE'
  /** The source, or a storage path, is not there. */
  | 'NOT_FOUND'
  /** The final name is taken by other content; nothing was overwritten. */
  | 'TARGET_DIFFERS'
  /** The source changed while it was read, or since it was copied. */
  | 'SOURCE_CHANGED'
  /** Read back, the target is not what was written. */
  | 'VERIFY_FAILED'
  /** A directory holds something that was not moved; it stays. */
  | 'UNEXPECTED_FILE'
  /** Another directory lies where the storage path was (unmounted, replaced). */
  | 'PATH_CHANGED'
  /** EIO, EROFS, ESTALE and the like: no new work for this path until it is probed. */
  | 'PATH_SICK'
  | 'ACCESS_DENIED'
  | 'CANCELLED'
  /** Only one method was allowed, and it does not work between these two paths. */
  | 'NOT_HERE'
  /** The operation id is in use. */
  | 'BUSY'
  /** No open move has this id, or it is not as far as this step needs. */
  | 'WRONG_STATE'
  /** The journal is corrupt, locked by another process, or could not be written. */
  | 'JOURNAL'
  /** A name, id or number that is not allowed. */
  | 'INVALID'
  | 'IO'

/** What to do about it: retry later, fail the task, stop the sector, pause the worker. */
export type NativeErrorLevel = 'temporary' | 'permanent' | 'abort' | 'critical'

/** A failure as it crosses the addon. */
export interface NativeFailure {
  failed: boolean
  code: string
  errno: number | null
  syscall: string | null
  path: string | null
  bytesDone: number
  message: string
}

const LEVELS: Readonly<Record<NativeErrorCode, NativeErrorLevel>> = {
  NO_SPACE: 'temporary',
  NOT_FOUND: 'permanent',
  TARGET_DIFFERS: 'abort',
  SOURCE_CHANGED: 'temporary',
  VERIFY_FAILED: 'critical',
  UNEXPECTED_FILE: 'abort',
  PATH_CHANGED: 'critical',
  PATH_SICK: 'critical',
  ACCESS_DENIED: 'permanent',
  CANCELLED: 'temporary',
  NOT_HERE: 'permanent',
  BUSY: 'temporary',
  WRONG_STATE: 'permanent',
  JOURNAL: 'critical',
  INVALID: 'permanent',
  IO: 'temporary',
}

/** A native call that did not do what it was asked. The state before it is intact unless the message says so. */
export class NativeError extends Error {
  override readonly name = 'NativeError'
  readonly code: NativeErrorCode
  readonly level: NativeErrorLevel
  /** The kernel's number, null where the kernel was not the one that refused. */
  readonly errno: number | null
  readonly syscall: string | null
  readonly path: string | null
  readonly bytesDone: number

  constructor(failure: Omit<NativeFailure, 'failed'>) {
    super(failure.message)
    this.code = failure.code in LEVELS ? (failure.code as NativeErrorCode) : 'IO'
    this.level = LEVELS[this.code]
    this.errno = failure.errno
    this.syscall = failure.syscall
    this.path = failure.path
    this.bytesDone = failure.bytesDone
  }
}

function isFailure(value: unknown): value is NativeFailure {
  return typeof value === 'object' && value !== null && (value as { failed?: unknown }).failed === true
}

/** The result of a native call. @throws NativeError if it is a failure */
export function orThrow<T>(result: T | NativeFailure): T {
  if (isFailure(result)) throw new NativeError(result)
  return result
}

/** How napi names an argument it cannot convert: `InvalidArg`, `StringExpected`, … */
const isWrongType = (code: string) => code === 'InvalidArg' || code.endsWith('Expected')

/** Runs a synchronous native call, turning what it throws into a NativeError. */
export function translated<T>(call: () => T): T {
  try {
    return call()
  } catch (cause) {
    const { code, message } = cause as { code?: string; message?: string }
    if (code === undefined || !(code in LEVELS || isWrongType(code))) throw cause
    const error = new NativeError({
      code: isWrongType(code) ? 'INVALID' : code,
      errno: null,
      syscall: null,
      path: null,
      bytesDone: 0,
      message: message ?? code,
    })
    error.cause = cause
    throw error
  }
}
