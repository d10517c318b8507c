import { ProtocolError, RPC_CODE, RpcError } from './errors.ts'
import { type ApiOf, type Method, type MethodTable, shortName } from './method.ts'

/** Carries a call to the other node and brings its result back, unchecked. */
export interface RawCaller {
  /** For errors: which node. */
  readonly url: string
  /** @throws RpcError when the node said no, ConnectionError when it cannot be told what happened */
  call(method: string, params: readonly unknown[], slow: boolean): Promise<unknown>
}

/** The typed face of a node: every method of the table as a function, its answers checked. */
export function typedClient<T extends MethodTable>(table: T, caller: RawCaller): ApiOf<T> {
  const shortCalls = new Set<string>()
  const functions = Object.entries(table).map(([name, row]) => [
    shortName(name),
    async (...args: unknown[]) =>
      checked(caller, name, row, await callOnce(caller, name, row, args, shortCalls)),
  ])
  return Object.fromEntries(functions) as ApiOf<T>
}

/**
 * Older nodes take fewer parameters (StorageBestAlloc took 3 before lotus v1.28) and say so by −32602 only:
 * the call is made again without the optional ones, and from then on always so.
 */
async function callOnce(
  caller: RawCaller,
  name: string,
  row: Method,
  args: readonly unknown[],
  shortCalls: Set<string>,
): Promise<unknown> {
  const needed = row.params.length - row.optional
  const params = wireParams(row, args)
  const shorter = params.slice(0, needed)
  if (shortCalls.has(name)) return caller.call(name, shorter, row.slow)
  try {
    return await caller.call(name, params, row.slow)
  } catch (error) {
    const countRefused = error instanceof RpcError && error.rpcCode === RPC_CODE.invalidParams
    if (!countRefused || params.length === needed) throw error
    const result = await caller.call(name, shorter, row.slow)
    shortCalls.add(name)
    return result
  }
}

/** Exactly as many parameters as the table says; what is left out is null, which every Go type takes. */
function wireParams(row: Method, args: readonly unknown[]): unknown[] {
  const params = row.params.map((_, index) => args[index] ?? null)
  while (params.length > row.params.length - row.optional && params.at(-1) === null) params.pop()
  return params
}

function checked(caller: RawCaller, name: string, row: Method, result: unknown): unknown {
  const parsed = row.result.safeParse(result ?? null)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new ProtocolError({
    code: 'BAD_ANSWER',
    level: 'permanent',
    message: `${caller.url} answered ${name} with something else than expected: ${issue?.path.join('.') || 'the result'}: ${issue?.message ?? 'wrong type'}`,
  })
}
