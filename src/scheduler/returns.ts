import type { ReturnApi } from '../protocol/apis.ts'
import type { CallError, CallId } from '../protocol/types.ts'
import type { Calls } from './calls.ts'

/** The Return… methods: all results go to one place. A promise that resolves means accepted for good. */
export function returnsTo(calls: Calls): ReturnApi {
  const withValue = (id: CallId, value: unknown, error: CallError) => calls.returned(id, { value, error })
  const plain = (id: CallId, error: CallError) => calls.returned(id, { value: null, error })
  return {
    ReturnAddPiece: withValue,
    ReturnSealPreCommit1: withValue,
    ReturnSealPreCommit2: withValue,
    ReturnSealCommit1: withValue,
    ReturnSealCommit2: withValue,
    ReturnFinalizeSector: plain,
    ReturnReleaseUnsealed: plain,
    ReturnMoveStorage: plain,
    ReturnUnsealPiece: plain,
    ReturnFetch: plain,
  }
}
