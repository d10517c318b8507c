import { isSealyardError } from '../base/errors.ts'
import { RPC_CODE, type RpcFailure } from './errors.ts'
import { type ApiOf, type Method, type MethodTable, type Permission, shortName } from './method.ts'

/** Who calls, as far as a method may know. */
export interface Caller {
  readonly permissions: readonly Permission[]
}

/** An answer of go-jsonrpc over HTTP: 200, 400 or 500, and the text of its body (null: nothing). */
export interface RpcReply {
  readonly status: number
  readonly body: string | null
}

export interface Dispatcher {
  /** Answers one HTTP body: a request, a notification or a batch. Never rejects. */
  handle(body: Uint8Array, caller: Caller): Promise<RpcReply>
  /** The same for JSON that is parsed already, as on a WebSocket. */
  handleValue(value: unknown, caller: Caller): Promise<RpcReply>
}

export interface DispatcherOptions {
  /** Told of every error that is not one of ours: each is a bug, and the caller sees only its first line. */
  readonly onFault?: (method: string, error: unknown) => void
}

type RequestId = string | number | null
type Implementation = Readonly<Record<string, ((...params: unknown[]) => Promise<unknown>) | undefined>>

/** A failure on its way to an answer. */
class Refusal extends Error {
  readonly failure: RpcFailure

  constructor(failure: RpcFailure) {
    super(failure.message)
    this.failure = failure
  }
}

/**
 * Answers JSON-RPC bodies from a method table, as go-jsonrpc does it in lotus, to the letter: codes, texts, HTTP
 * status, key order and newline. A method missing in `implementation` answers "method not supported".
 */
export function createDispatcher<T extends MethodTable>(
  table: T,
  implementation: Partial<ApiOf<T>>,
  options: DispatcherOptions = {},
): Dispatcher {
  const methods = implementation as Implementation
  const answer = (request: unknown, caller: Caller) => answerOne({ table, methods, options }, request, caller)
  const handleValue = async (value: unknown, caller: Caller): Promise<RpcReply> => {
    if (!Array.isArray(value)) return answer(value, caller)
    if (value.length === 0) return failed(null, invalidRequest)
    const bodies: string[] = []
    for (const each of value) {
      const { body } = await answer(each, caller)
      if (body !== null) bodies.push(body)
    }
    return { status: 200, body: bodies.length === 0 ? null : `[${bodies.join(',')}]` }
  }
  return {
    handleValue,
    async handle(body, caller) {
      const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8').trim()
      if (text === '') return failed(null, invalidRequest)
      const value = parseJson(text)
      return value === undefined ? failed(null, parseError) : handleValue(value, caller)
    },
  }
}

const invalidRequest: RpcFailure = { code: RPC_CODE.invalidRequest, message: 'Invalid request' }
const parseError: RpcFailure = { code: RPC_CODE.parse, message: 'Parse error' }

interface Served {
  readonly table: MethodTable
  readonly methods: Implementation
  readonly options: DispatcherOptions
}

async function answerOne(served: Served, request: unknown, caller: Caller): Promise<RpcReply> {
  if (typeof request !== 'object' || request === null || Array.isArray(request))
    return failed(null, parseError)
  const { id: givenId, method, params } = request as { id?: unknown; method?: unknown; params?: unknown }
  const id = requestId(givenId)
  if (id === undefined) {
    return failed(null, { code: RPC_CODE.parse, message: 'failed to parse ID: invalid id type' })
  }
  try {
    const name = typeof method === 'string' ? method : ''
    const row = Object.hasOwn(served.table, name) ? served.table[name] : undefined
    if (row === undefined) {
      throw new Refusal({ code: RPC_CODE.unknownMethod, message: `method '${name}' not found` })
    }
    const result = await call(served, name, row, params, caller)
    return id === null ? { status: 200, body: null } : succeeded(id, name, result, served.options)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    // A notification gets an answer only where Go gives one: when the call was never made.
    if (id === null && error.failure.code === RPC_CODE.application) return { status: 200, body: null }
    return failed(id, error.failure)
  }
}

async function call(
  served: Served,
  name: string,
  row: Method,
  params: unknown,
  caller: Caller,
): Promise<unknown> {
  const short = shortName(name)
  if (!caller.permissions.includes(row.permission)) {
    throw new Refusal({
      code: RPC_CODE.application,
      message: `missing permission to invoke '${short}' (need '${row.permission}')`,
    })
  }
  const values = checkParams(name, row, params)
  const implementation = served.methods
  if (typeof implementation[short] !== 'function') {
    throw new Refusal({ code: RPC_CODE.application, message: 'method not supported' })
  }
  try {
    return await implementation[short](...values)
  } catch (error) {
    throw refusalOf(name, error, served.options)
  }
}

function checkParams(name: string, row: Method, params: unknown): unknown[] {
  const given: unknown = params ?? []
  if (!Array.isArray(given)) {
    throw new Refusal({ code: RPC_CODE.parse, message: `unmarshaling params for '${name}': not an array` })
  }
  const most = row.params.length
  if (given.length > most || given.length < most - row.optional) {
    const message = `wrong param count (method '${name}'): ${given.length} != ${most}`
    throw new Refusal({ code: RPC_CODE.invalidParams, message })
  }
  return row.params.map((schema, index) => {
    const checked = schema.safeParse(given[index])
    if (checked.success) return checked.data
    const [issue] = checked.error.issues
    const where = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
    const message = `unmarshaling params for '${name}' (param: ${index}): ${where}${issue?.message ?? 'wrong type'}`
    throw new Refusal({ code: RPC_CODE.parse, message })
  })
}

/** What the other side may see of an error: its first line, never a stack. */
function refusalOf(name: string, error: unknown, options: DispatcherOptions): Refusal {
  if (isSealyardError(error)) {
    const { code, level } = error
    return new Refusal({ code: RPC_CODE.application, message: firstLine(error), data: { code, level } })
  }
  options.onFault?.(name, error)
  if (!isBug(error)) return new Refusal({ code: RPC_CODE.application, message: firstLine(error) })
  const message = `fatal error calling '${name}': panic in rpc method '${name}': ${firstLine(error)}`
  return new Refusal({ code: RPC_CODE.fatal, message })
}

/** What JavaScript throws by itself when the program is wrong; everything else somebody threw on purpose. */
function isBug(error: unknown): boolean {
  if (!(error instanceof Error)) return true
  return ['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError', 'AssertionError'].includes(error.name)
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0] || 'unknown error'
}

/** undefined when it is neither a string, nor a number, nor absent. */
function requestId(id: unknown): RequestId | undefined {
  if (id === undefined || id === null) return null
  return typeof id === 'string' || typeof id === 'number' ? id : undefined
}

function succeeded(id: RequestId, name: string, result: unknown, options: DispatcherOptions): RpcReply {
  try {
    return { status: 200, body: `${JSON.stringify({ id, jsonrpc: '2.0', result: result ?? null })}\n` }
  } catch (error) {
    // A bigint or a cycle in a result: our bug, not the caller's.
    return failed(id, refusalOf(name, error, options).failure)
  }
}

/** Go writes the members of an answer in alphabetical order. */
function failed(id: RequestId, error: RpcFailure): RpcReply {
  const status =
    error.code === RPC_CODE.application ? 200 : error.code === RPC_CODE.invalidRequest ? 400 : 500
  return { status, body: `${JSON.stringify({ error, id, jsonrpc: '2.0' })}\n` }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
