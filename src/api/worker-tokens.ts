import { type Clock, systemClock } from '../base/clock.ts'
import { RPC_CODE, RpcError } from '../protocol/errors.ts'
import { PERMISSIONS, type Permission } from '../protocol/method.ts'
import { DENIAL_TTL_MS, type TokenVerifier, VERDICT_TTL_MS, type Verification } from './auth.ts'
import { scopesIn } from './scopes.ts'

export interface WorkerTokenOptions {
  /** The sealer's `AuthVerify`. */
  readonly ask: (token: string) => Promise<readonly string[]>
  readonly clock?: Clock
  /** How long a known token is still taken while the sealer is away. */
  readonly awayMs?: number
}

interface Remembered {
  readonly verdict: Verification & { outcome: 'known' | 'denied' }
  readonly freshUntil: number
  readonly usableUntil: number
}

/** A flood of made-up tokens must cost neither memory nor the sealer's time. */
const MOST_REMEMBERED = 1024
const MOST_QUESTIONS = 32
/** A fetch between two workers must not end because the sealer restarts; lotus answers 401 then. */
const AWAY_MS = 3_600_000

/**
 * Checks tokens for a worker, which has no secret: the sealer is asked once a minute per token. While it is away,
 * a token that was known stays known (nothing but its own expiry can end one); others are "unavailable".
 */
export class WorkerTokenVerifier implements TokenVerifier {
  readonly #options: Required<WorkerTokenOptions>
  readonly #remembered = new Map<string, Remembered>()
  readonly #questions = new Map<string, Promise<Verification>>()

  constructor(options: WorkerTokenOptions) {
    this.#options = { clock: systemClock, awayMs: AWAY_MS, ...options }
  }

  async verify(token: string): Promise<Verification> {
    const now = this.#options.clock.monotonicMs()
    const known = this.#remembered.get(token)
    if (known !== undefined && now < known.freshUntil)
      return { ...known.verdict, ttlMs: known.freshUntil - now }
    const running = this.#questions.get(token)
    if (running !== undefined) return running
    if (this.#questions.size >= MOST_QUESTIONS) return { outcome: 'unavailable' }
    const question = this.#ask(token).finally(() => this.#questions.delete(token))
    this.#questions.set(token, question)
    return question
  }

  async #ask(token: string): Promise<Verification> {
    try {
      const answered = await this.#options.ask(token)
      const permissions = PERMISSIONS.filter((permission: Permission) => answered.includes(permission))
      const scopes = scopesIn(answered)
      return this.#remember(token, { outcome: 'known', permissions, scopes, ttlMs: VERDICT_TTL_MS })
    } catch (error) {
      const isRefusal = error instanceof RpcError && error.rpcCode === RPC_CODE.application
      if (isRefusal) {
        const denied = { outcome: 'denied', ttlMs: DENIAL_TTL_MS } as const
        return this.#remember(
          token,
          error.code === 'TOKEN_TIME' ? { ...denied, reason: error.message } : denied,
        )
      }
      return this.#whileAway(token)
    }
  }

  #whileAway(token: string): Verification {
    const known = this.#remembered.get(token)
    const usable =
      known !== undefined && this.#options.clock.monotonicMs() < known.usableUntil && !this.#expired(token)
    // A short time: the sealer may be back soon, and knows better.
    return usable ? { ...known.verdict, ttlMs: DENIAL_TTL_MS } : { outcome: 'unavailable' }
  }

  #remember(token: string, verdict: Remembered['verdict']): Verification {
    const now = this.#options.clock.monotonicMs()
    const usableFor = verdict.outcome === 'known' ? this.#options.awayMs : 0
    this.#remembered.delete(token)
    this.#remembered.set(token, { verdict, freshUntil: now + verdict.ttlMs, usableUntil: now + usableFor })
    if (this.#remembered.size > MOST_REMEMBERED) {
      const [oldest] = this.#remembered.keys()
      if (oldest !== undefined) this.#remembered.delete(oldest)
    }
    return verdict
  }

  /** Reads `exp` without checking the signature: the sealer did that when the token became known. */
  #expired(token: string): boolean {
    try {
      const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
        exp?: unknown
      }
      return typeof payload.exp === 'number' && payload.exp * 1000 <= this.#options.clock.now()
    } catch {
      return true
    }
  }
}
