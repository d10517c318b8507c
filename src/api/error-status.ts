import { isSealyardError } from '../base/errors.ts'

/**
 * Error code → HTTP status of `/remote`. 500 means a bug: what is not listed goes by its level, temporary 503,
 * else 500. (JSON-RPC has its own codes: `protocol/rpc-server.ts`.)
 */
const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  // What is not here. lotus answers 500; its clients take any status but 200 as "try the next".
  UNKNOWN_PATH: 404,
  PATH_NOT_FOUND: 404,
  PATH_NOT_ATTACHED: 404,
  SECTOR_NOT_FOUND: 404,
  NOT_FOUND: 404,
  NOT_HELD: 404,
  NOT_HERE: 404,
  // What was asked for in a wrong way.
  UNSUPPORTED_PROOF: 400,
  BAD_REQUEST: 400,
  BAD_RANGE: 400,
  INVALID: 400,
  // What has changed since it was looked at.
  PRECONDITION_FAILED: 412,
  SOURCE_CHANGED: 412,
  STALE_FENCE: 412,
  // What this node does not do.
  NOT_SUPPORTED: 501,
  // What may work later.
  BUSY: 503,
  UNAVAILABLE: 503,
  PATH_PARKED: 503,
  CONNECTION: 503,
  TIMEOUT: 503,
  NO_SPACE: 507,
}

export function statusOf(error: unknown): number {
  if (!isSealyardError(error)) return codedStatus(error) ?? 500
  return STATUS_BY_CODE[error.code] ?? (error.level === 'temporary' ? 503 : 500)
}

/** Errors of the addon have a code too, without being ours. */
function codedStatus(error: unknown): number | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return typeof code === 'string' ? STATUS_BY_CODE[code] : undefined
}
