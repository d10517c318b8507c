import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '../base/errors.ts'
import { type FsStat, fsStat } from '../protocol/types.ts'
import { apiError } from './errors.ts'

/** How long all nodes together may take to answer for the space of a path. */
const STAT_TIMEOUT_MS = 10_000
/** A node that has not answered by then does not hold up the next one: one that hangs would delay every listing. */
const NEXT_NODE_MS = 1000

/**
 * A path's space, from whichever of its nodes answers; they are asked in the order in which they attached it.
 * @param urls base URLs of the nodes' `/remote`
 * @throws ApiError UNAVAILABLE when none answers
 */
export async function remoteStat(urls: readonly string[], id: string, token: string): Promise<FsStat> {
  const done = new AbortController()
  const signal = AbortSignal.any([done.signal, AbortSignal.timeout(STAT_TIMEOUT_MS)])
  const asked: Promise<FsStat>[] = []
  for (const url of urls) asked.push(after(asked.at(-1), signal).then(() => ask(url, id, token, signal)))
  try {
    return await Promise.any(asked)
  } catch (cause) {
    const [first] = cause instanceof AggregateError ? cause.errors : [cause]
    const message = `no node that has storage path ${id} tells its space: ${describeError(first)}`
    throw apiError('UNAVAILABLE', message, first)
  } finally {
    done.abort()
  }
}

/** Comes back when the one before has failed, or takes long. */
async function after(before: Promise<unknown> | undefined, signal: AbortSignal): Promise<void> {
  if (before === undefined) return
  const failed = before.then(
    () => new Promise<never>(() => undefined),
    () => undefined,
  )
  await Promise.race([failed, sleep(NEXT_NODE_MS, undefined, { signal })])
}

async function ask(url: string, id: string, token: string, signal: AbortSignal): Promise<FsStat> {
  const response = await fetch(`${url.replace(/\/+$/, '')}/stat/${id}`, {
    headers: { authorization: `Bearer ${token}` },
    signal,
  })
  if (!response.ok) throw new Error(`${url} answered HTTP ${response.status}${await reason(response)}`)
  return fsStat.parse(await response.json())
}

/** What a node says beside the status: why a path is parked. A lotus node may say a lot. */
async function reason(response: Response): Promise<string> {
  const text = (await response.text().catch(() => '')).trim()
  return text === '' ? '' : `: ${text.slice(0, 300)}`
}
