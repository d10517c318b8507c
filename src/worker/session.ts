import type { Clock } from '../base/clock.ts'
import { describeError, isSealyardError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { SealerApi } from '../protocol/apis.ts'
import type { SealerConnection } from '../protocol/connections.ts'
import { shortName } from '../protocol/method.ts'
import { sealerMethods } from '../protocol/sealer-methods.ts'
import { apiVersionWords, MINER_API_VERSION, type NodeInfo } from '../protocol/types.ts'
import { workerError } from './errors.ts'

export interface SealerSessionOptions {
  readonly dial: () => Promise<SealerConnection>
  /** How often the sealer is asked whether it knows this worker, and the longest pause while it is away; 10 s by default. */
  readonly heartbeatMs?: number
  readonly clock: Clock
  readonly log: Logger
}

/** How this worker makes itself known. */
export interface Introduction {
  /** `http://10.0.0.7:3456` */
  readonly url: string
  /** Declares everything to a sealer that may know nothing of this node. */
  readonly introduceAgain: () => Promise<void>
}

/** lotus' heartbeat. */
const HEARTBEAT_MS = 10_000
const FIRST_RETRY_MS = 1000

/**
 * A worker's tie to its sealer. Tasks run on whatever happens here.
 *
 *     connecting ──Version fits──► connected ──WorkerConnect──► registered ◄────────────────────────┐
 *                                                                  │ Session fails, or is another run │
 *                                                                  ▼                                 │
 *                                                                away ──dialled, introduced again, WorkerConnect
 *
 * lotus' worker waits until it runs nothing before it registers again, and then its tasks are counted nowhere;
 * this one registers at once.
 */
export class SealerSession {
  readonly #options: SealerSessionOptions
  readonly #stop = new AbortController()
  readonly #facade: SealerApi
  #connection: SealerConnection
  /** Run of the sealer that knows us; null while it is away. */
  #known: string | null = null

  private constructor(options: SealerSessionOptions, connection: SealerConnection) {
    this.#options = options
    this.#connection = connection
    this.#facade = facadeOf(() => this.#connection.api)
  }

  /**
   * Waits for the sealer.
   * @throws WorkerError SEALER_VERSION; a refused token and the like are not waited for either
   */
  static async connect(options: SealerSessionOptions, signal?: AbortSignal): Promise<SealerSession> {
    const { clock, log } = options
    let told = ''
    for (let attempt = 0; ; attempt++) {
      try {
        return new SealerSession(options, await dialFitting(options))
      } catch (error) {
        if (!isTemporary(error)) throw error
        const words = describeError(error)
        if (words !== told) log.warn('waiting for the sealer', { error: words })
        told = words
      }
      await clock.sleep(retryDelay(options, attempt), signal)
    }
  }

  /** The sealer, over whichever connection is the current one. While it is away calls fail as temporary. */
  sealer(): SealerApi {
    return this.#facade
  }

  /** null: a lotus or venus miner. */
  get info(): NodeInfo | null {
    return this.#connection.info
  }

  /** Whether the sealer knows this worker, as far as the last heartbeat tells. */
  get isRegistered(): boolean {
    return this.#known !== null
  }

  /**
   * Offers the worker to the sealer, then watches over the registration until `close`.
   * @returns once the sealer has taken it
   * @throws what the sealer refuses it with
   */
  async register(introduction: Introduction): Promise<void> {
    const { clock, log } = this.#options
    for (let attempt = 0; this.#known === null; attempt++) {
      try {
        await this.#offer(introduction)
      } catch (error) {
        if (!isTemporary(error)) throw error
        log.warn('the sealer did not take this worker yet', { error: describeError(error) })
        await clock.sleep(retryDelay(this.#options, attempt), this.#stop.signal)
      }
    }
    void this.#watch(introduction)
  }

  close(): void {
    this.#stop.abort(workerError({ code: 'STOPPING', level: 'temporary', message: 'the worker is stopping' }))
    this.#connection.close()
  }

  async #watch(introduction: Introduction): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#stop
    let failures = 0
    for (;;) {
      try {
        await clock.sleep(
          this.#known === null ? retryDelay(this.#options, failures) : heartbeatOf(this.#options),
          signal,
        )
      } catch {
        return
      }
      try {
        await this.#beat(introduction)
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        // The first time and then once a minute or so.
        if (failures % 6 === 0) log.error('SEALER CONNECTION LOST', { error: describeError(error) })
        this.#known = null
        failures += 1
      }
    }
  }

  async #beat(introduction: Introduction): Promise<void> {
    if (this.#known !== null && (await this.#connection.api.Session()) === this.#known) return
    this.#known = null
    await this.#redial()
    await introduction.introduceAgain()
    await this.#offer(introduction)
    this.#options.log.info('registered with the sealer again', { session: this.#known })
  }

  /** A new connection each time: the sealer may have another address now, or be another program. */
  async #redial(): Promise<void> {
    const fresh = await dialFitting(this.#options)
    if (this.#stop.signal.aborted) {
      fresh.close()
      this.#stop.signal.throwIfAborted()
    }
    const old = this.#connection
    this.#connection = fresh
    old.close()
  }

  async #offer({ url }: Introduction): Promise<void> {
    // Asked first: a restart right after WorkerConnect is then noticed by the next heartbeat.
    const session = await this.#connection.api.Session()
    await this.#connection.api.WorkerConnect(`${url}/rpc/v0`)
    this.#known = session
  }
}

async function dialFitting({ dial }: SealerSessionOptions): Promise<SealerConnection> {
  const connection = await dial()
  try {
    const { APIVersion, Version } = await connection.api.Version()
    if (APIVersion !== MINER_API_VERSION) throw wrongVersion(APIVersion, Version)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

function wrongVersion(apiVersion: number, version: string) {
  return workerError({
    code: 'SEALER_VERSION',
    message:
      `the sealer (${version}) speaks miner API ${apiVersionWords(apiVersion)}, this worker ${apiVersionWords(MINER_API_VERSION)}; ` +
      `upgrade the ${apiVersion < MINER_API_VERSION ? 'sealer' : 'worker'}, or run versions of both that belong together`,
  })
}

function isTemporary(error: unknown): boolean {
  return isSealyardError(error) && error.level === 'temporary'
}

function heartbeatOf({ heartbeatMs = HEARTBEAT_MS }: SealerSessionOptions): number {
  return heartbeatMs
}

function retryDelay(options: SealerSessionOptions, attempt: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** attempt, heartbeatOf(options))
}

/** Every method of the sealer, looked up anew with each call. */
function facadeOf(current: () => SealerApi): SealerApi {
  const methods = Object.keys(sealerMethods).map((name) => {
    const short = shortName(name)
    const call = (...args: unknown[]) =>
      (current() as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[short]!(...args)
    return [short, call]
  })
  return Object.fromEntries(methods) as SealerApi
}
