import { type ErrorLevel, SealyardError, type SealyardErrorOptions } from '../base/errors.ts'

/** Something between two nodes: an address that is none, a node that is not there, an answer that makes no sense. */
export class ProtocolError extends SealyardError {}

/** The numbers of go-jsonrpc. */
export const RPC_CODE = {
  /** The method itself said no; the message is its error. */
  application: 1,
  /** The method broke: a bug of the node. */
  fatal: 0,
  parse: -32700,
  invalidRequest: -32600,
  unknownMethod: -32601,
  invalidParams: -32602,
} as const

/** `error` of a JSON-RPC answer. `data` is ours: a lotus client ignores it, ours reads code and level from it. */
export interface RpcFailure {
  readonly code: number
  readonly message: string
  readonly data?: { readonly code: string; readonly level: ErrorLevel }
}

/**
 * The other node answered a call with an error. `code` and `level` are those of the error as the other node
 * threw it, if it is one of ours; from a lotus or venus node they are REMOTE_ERROR and `permanent`.
 */
export class RpcError extends ProtocolError {
  /** One of RPC_CODE. */
  readonly rpcCode: number
  /** `Filecoin.StorageInfo` */
  readonly method: string
  readonly url: string

  constructor(failure: { rpcCode: number; method: string; url: string; message: string; data?: unknown }) {
    super({ ...codeAndLevel(failure), message: failure.message })
    this.rpcCode = failure.rpcCode
    this.method = failure.method
    this.url = failure.url
  }
}

/** The call did not reach the node, or its answer did not reach us: what the call did is not known. */
export class ConnectionError extends ProtocolError {
  constructor(options: Omit<SealyardErrorOptions, 'code' | 'level'> & { code?: string }) {
    super({ code: 'CONNECTION', level: 'temporary', ...options })
  }
}

const LEVELS: readonly ErrorLevel[] = ['temporary', 'permanent', 'abort', 'critical']

/** What go-jsonrpc and we answer to a token that may not; the field has no code of its own for it. */
const NO_PERMISSION = /^missing permission to invoke '/

function codeAndLevel(failure: { rpcCode: number; message: string; data?: unknown }): {
  code: string
  level: ErrorLevel
} {
  const { rpcCode, data } = failure
  if (typeof data === 'object' && data !== null && 'code' in data && 'level' in data) {
    const level = LEVELS.find((each) => each === data.level)
    if (typeof data.code === 'string' && level !== undefined) return { code: data.code, level }
  }
  if (rpcCode === RPC_CODE.unknownMethod) return { code: 'UNKNOWN_METHOD', level: 'permanent' }
  if (rpcCode === RPC_CODE.invalidParams) return { code: 'WRONG_PARAMETERS', level: 'permanent' }
  if (NO_PERMISSION.test(failure.message)) return { code: 'NO_PERMISSION', level: 'permanent' }
  return { code: 'REMOTE_ERROR', level: 'permanent' }
}

/** True when the other node does not know the method: a lotus or venus node, or an older one of ours. */
export function isUnknownMethod(error: unknown): boolean {
  return error instanceof RpcError && error.rpcCode === RPC_CODE.unknownMethod
}
