import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { durably } from '../base/durable-steps.ts'
import { describeError, errorCode } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { ReturnApi } from '../protocol/apis.ts'
import { RpcError } from '../protocol/errors.ts'
import { returnMethods } from '../protocol/sealer-methods.ts'
import type { CallError, CallId } from '../protocol/types.ts'
import { sectorName } from '../sectors/sector-id.ts'
import type { WorkerTables } from '../state/tables.ts'
import type { StateWrites } from './state-writes.ts'

/** How a call ended. `value` is null where the method returns none, or failed. */
export interface Outcome {
  readonly value: unknown
  readonly error: CallError
}

export interface Result {
  readonly id: CallId
  readonly returns: keyof ReturnApi
  readonly outcome: Outcome
}

export interface HandInOptions {
  readonly db: Kysely<WorkerTables>
  readonly returns: ReturnApi
  readonly state: StateWrites
  readonly clock: Clock
  readonly log: Logger
  /** Ends the retrying; what was not accepted stays recorded. */
  readonly signal: AbortSignal
  /** Between two attempts; lotus' 5 s by default. */
  readonly retryMs?: number
}

/** lotus' interval. */
const RETRY_MS = 5000
/** While the sealer is away one line in a minute is enough. */
const LOG_EVERY = 12

/** Hands results in until the sealer accepts them, without limit; only then their record goes. */
export class HandIn {
  readonly #options: HandInOptions

  constructor(options: HandInOptions) {
    this.#options = options
  }

  /** Offers it at least once, also while the worker stops. */
  async deliver(result: Result): Promise<void> {
    const { clock, signal } = this.#options
    for (let attempt = 0; ; attempt++) {
      if (await this.#offer(result, attempt)) return this.#forget(result)
      try {
        await clock.sleep(this.#options.retryMs ?? RETRY_MS, signal)
      } catch {
        return
      }
    }
  }

  /** @returns whether the matter is settled */
  async #offer({ id, returns, outcome }: Result, attempt: number): Promise<boolean> {
    const about = { sector: sectorName(id.Sector), call: id.ID, method: returns }
    const sealer = this.#options.returns
    const method = sealer[returns] as (...params: unknown[]) => Promise<void>
    const params = hasValue(returns) ? [id, outcome.value, outcome.error] : [id, outcome.error]
    try {
      await method.apply(sealer, params)
      return true
    } catch (error) {
      if (isUnknownCall(error)) {
        this.#options.log.warn('the sealer has no such call, or its result already; the result is dropped', {
          ...about,
          error: describeError(error),
        })
        return true
      }
      if (attempt % LOG_EVERY === 0) {
        this.#options.log.warn('the sealer does not take a result; it is handed in until it does', {
          ...about,
          error: describeError(error),
        })
      }
      return false
    }
  }

  async #forget({ id }: Result): Promise<void> {
    const remove = this.#options.db.deleteFrom('worker_calls').where('id', '=', id.ID)
    await this.#options.state.surely(() => durably('worker.call-removed', () => remove.execute()))
  }
}

function hasValue(returns: keyof ReturnApi): boolean {
  return returnMethods[`Filecoin.${returns}`].params.length === 3
}

/** A lotus miner's words when it has a result already: it accepted this one and its answer was lost, or aborted. */
const LOTUS_HAS_IT = /^result for call .* already reported$|^callRes channel already has a response$/

/**
 * Whether the sealer itself said that it waits for no such result. Anything else, a refusal of the token too, may
 * be otherwise tomorrow. Only a stranger is known by its words: lotus gives no code.
 */
function isUnknownCall(error: unknown): boolean {
  const code = errorCode(error)
  if (code === 'UNKNOWN_CALL') return true
  return error instanceof RpcError && code === 'REMOTE_ERROR' && LOTUS_HAS_IT.test(error.message)
}
