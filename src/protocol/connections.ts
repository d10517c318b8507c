import type { SealerApi, WorkerApi } from './apis.ts'
import { isUnknownMethod } from './errors.ts'
import { HttpConnections } from './http-exchange.ts'
import type { MethodTable } from './method.ts'
import { pushFile } from './reader-streams.ts'
import { createClient } from './rpc-client.ts'
import { sealerMethods } from './sealer-methods.ts'
import type { NodeInfo, ReaderParameter } from './types.ts'
import { workerMethods } from './worker-methods.ts'

/** A worker as the sealer sees it, here or on another machine. */
export interface WorkerConnection {
  readonly api: WorkerApi
  /** null: a lotus or venus node, which knows the field's methods only. */
  readonly info: NodeInfo | null
  /** Sends the bytes of a reader that a call names as `{"Type":"push","Info":uuid}`. */
  pushFile(uuid: string, file: string, bytes: number): Promise<void>
  close(): void
}

/** The sealer as a worker sees it. */
export interface SealerConnection {
  readonly api: SealerApi
  /** null: a lotus or venus miner. */
  readonly info: NodeInfo | null
  close(): void
}

/** Where a reader named in a call is received: pushed bytes, zeroes, or a URL. */
export interface ReaderSource {
  /**
   * Writes the reader's bytes to a new file, durably.
   * @param target must not exist; nothing is left there on failure
   * @param limitBytes more than this fails
   */
  receive(reader: ReaderParameter, target: string, limitBytes: number): Promise<{ bytes: number }>
}

export interface DialOptions {
  /** For one call; slow methods have none. 60 s by default. */
  readonly timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 60_000

/**
 * Connects to a worker and asks it once who it is.
 * @param url `http://host:port/rpc/v0`
 * @throws ConnectionError when it is not there
 */
export async function dialWorker(
  url: string,
  token: string,
  options: DialOptions = {},
): Promise<WorkerConnection> {
  const { api, info, connections } = await dial(workerMethods, url, token, options)
  return {
    api,
    info,
    pushFile: (uuid, file, bytes) => pushFile({ url, token, uuid, file, bytes }),
    close: () => connections.close(),
  }
}

/** The same for a sealer or a lotus miner. */
export async function dialSealer(
  url: string,
  token: string,
  options: DialOptions = {},
): Promise<SealerConnection> {
  const { api, info, connections } = await dial(sealerMethods, url, token, options)
  return { api, info, close: () => connections.close() }
}

async function dial<T extends MethodTable>(table: T, url: string, token: string, options: DialOptions) {
  const connections = new HttpConnections()
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const api = createClient(table, { url, token, timeoutMs, connections })
  try {
    return { api, info: await nodeInfoOf(api as unknown as { NodeInfo(): Promise<NodeInfo> }), connections }
  } catch (error) {
    connections.close()
    throw error
  }
}

/** What the other node says it is, or null for a stranger: a lotus or venus node does not know the question. */
async function nodeInfoOf(api: { NodeInfo(): Promise<NodeInfo> }): Promise<NodeInfo | null> {
  try {
    return await api.NodeInfo()
  } catch (error) {
    if (isUnknownMethod(error)) return null
    throw error
  }
}
