import { SealyardError } from '../base/errors.ts'

export type BenchErrorCode =
  /** A wrong flag: exit status 2. */
  | 'USAGE'
  /** A directory is not there, or nothing can be written to it. */
  | 'BAD_DIRECTORY'
  | 'NO_SPACE'
  /** A program to compare with is not installed. */
  | 'NO_PEER'
  /** A program or server failed, or gave a wrong body. */
  | 'PEER_FAILED'

/** What `bench` throws. */
export class BenchError extends SealyardError {}

export function benchError(code: BenchErrorCode, message: string, cause?: unknown): BenchError {
  return new BenchError({ code, level: 'permanent', message, cause })
}
