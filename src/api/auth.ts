import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errors, jwtVerify, SignJWT } from 'jose'
import { type Clock, systemClock } from '../base/clock.ts'
import { PERMISSIONS, type Permission } from '../protocol/method.ts'
import { apiError } from './errors.ts'
import { formatScope, type StorageScope, scopesIn } from './scopes.ts'
import { readSecretFile, writeSecretFile } from './token-file.ts'

/** What is known of a token, and for how long that holds. */
export type Verification =
  | {
      readonly outcome: 'known'
      readonly permissions: readonly Permission[]
      /** What it may do with sector files without being an admin. */
      readonly scopes?: readonly StorageScope[]
      readonly ttlMs: number
    }
  /** `reason`: in words, of a token that is ours but not valid now; nothing is told of a foreign one. */
  | { readonly outcome: 'denied'; readonly ttlMs: number; readonly reason?: string }
  /** Cannot be told now: answer 503 and remember nothing. */
  | { readonly outcome: 'unavailable' }

export interface TokenVerifier {
  /** Never rejects. */
  verify(token: string): Promise<Verification>
}

/** How long a verdict is believed. */
export const VERDICT_TTL_MS = 60_000
/** Denials expire soon: the token may be one that the sealer makes a second later. */
export const DENIAL_TTL_MS = 2_000
/** lotus' tokens have some 140 bytes; nothing larger is worth a look. */
const LONGEST_TOKEN = 4096
const CLOCK_SKEW_SECONDS = 5
const TIME_CLAIMS: readonly string[] = ['nbf', 'iat']
const SECRET_TYPE = 'jwt-hmac-secret'
const SECRET_BYTES = 32

/** Makes and checks the cluster's tokens, as lotus does: HS256 over `{"Allow":[…]}`. Only the sealer has the secret. */
export class SealerTokens implements TokenVerifier {
  readonly #secret: Uint8Array
  readonly #clock: Clock

  private constructor(secret: Uint8Array, clock: Clock) {
    this.#secret = secret
    this.#clock = clock
  }

  /**
   * Reads the secret of a repo (`keystore/auth-jwt-private`), or makes one at the first start.
   * @throws ApiError SECRET_EXPOSED, SECRET_FOREIGN, BAD_SECRET
   */
  static async open(repo: string, clock: Clock = systemClock): Promise<SealerTokens> {
    const keystore = join(repo, 'keystore')
    const path = join(keystore, 'auth-jwt-private')
    await mkdir(keystore, { recursive: true, mode: 0o700 })
    const text = await readSecretFile(path)
    if (text !== null) return new SealerTokens(parseSecret(path, text), clock)
    const secret = randomBytes(SECRET_BYTES)
    const key = { Type: SECRET_TYPE, PrivateKey: secret.toString('base64') }
    await writeSecretFile(path, `${JSON.stringify(key)}\n`)
    return new SealerTokens(secret, clock)
  }

  /** @param lifetimeSeconds null: for ever, as the field's tokens */
  async create(
    permissions: readonly Permission[],
    lifetimeSeconds: number | null = null,
    scopes: readonly StorageScope[] = [],
  ): Promise<string> {
    const token = new SignJWT({ Allow: [...permissions, ...scopes.map(formatScope)] }).setProtectedHeader({
      alg: 'HS256',
      typ: 'JWT',
    })
    if (lifetimeSeconds !== null)
      token.setExpirationTime(Math.floor(this.#clock.now() / 1000) + lifetimeSeconds)
    return token.sign(this.#secret)
  }

  async verify(token: string): Promise<Verification> {
    try {
      const { permissions, scopes, expiresAtMs } = await this.#read(token)
      const left = expiresAtMs === null ? VERDICT_TTL_MS : Math.max(expiresAtMs - this.#clock.now(), 0)
      return { outcome: 'known', permissions, scopes, ttlMs: Math.min(left, VERDICT_TTL_MS) }
    } catch (error) {
      const reason = this.#untimely(error)
      return { outcome: 'denied', ttlMs: DENIAL_TTL_MS, ...(reason === null ? {} : { reason }) }
    }
  }

  /** What `AuthVerify` answers. @throws ApiError BAD_TOKEN; TOKEN_TIME: ours, but not valid now */
  async permissionsOf(token: string): Promise<string[]> {
    try {
      const { permissions, scopes } = await this.#read(token)
      return [...permissions, ...scopes.map(formatScope)]
    } catch (cause) {
      const reason = this.#untimely(cause) ?? (cause instanceof errors.JOSEError ? cause.code : 'no token')
      throw apiError(
        this.#untimely(cause) === null ? 'BAD_TOKEN' : 'TOKEN_TIME',
        `JWT Verification failed: ${reason}`,
        cause,
      )
    }
  }

  /** What the clock has against a token that carries our signature: jose looks at claims only after that. */
  #untimely(error: unknown): string | null {
    const here = new Date(this.#clock.now()).toISOString()
    const at = (claim: unknown) =>
      typeof claim === 'number' ? new Date(claim * 1000).toISOString() : 'some time'
    if (error instanceof errors.JWTExpired) {
      return `the token expired at ${at(error.payload.exp)}, it is ${here} here; make a new one with 'sealyard-sealer auth create-token'`
    }
    if (!(error instanceof errors.JWTClaimValidationFailed) || !TIME_CLAIMS.includes(error.claim)) return null
    return `the token is valid from ${at(error.payload[error.claim])}, it is ${here} here; one of the two clocks is wrong: compare both with 'timedatectl'`
  }

  async #read(token: string) {
    if (token.length > LONGEST_TOKEN) throw new errors.JWTInvalid('too long')
    // The algorithm is ours to choose, never the token's; jose looks at claims only after the signature.
    const { payload } = await jwtVerify(token, this.#secret, {
      algorithms: ['HS256'],
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: new Date(this.#clock.now()),
    })
    const { iat } = payload
    // jose looks at it only when a token may grow too old; made in the future it says as much as `nbf` does.
    if (iat !== undefined && iat * 1000 > this.#clock.now() + CLOCK_SKEW_SECONDS * 1000) {
      throw new errors.JWTClaimValidationFailed('made in the future', payload, 'iat', 'check_failed')
    }
    if (!Array.isArray(payload.Allow)) throw new errors.JWTInvalid('no Allow')
    const allowed: unknown[] = payload.Allow
    const permissions = PERMISSIONS.filter((permission) => allowed.includes(permission))
    const expiresAtMs = payload.exp === undefined ? null : payload.exp * 1000
    return { permissions, scopes: scopesIn(allowed), expiresAtMs }
  }
}

function parseSecret(path: string, text: string): Uint8Array {
  const bad = (cause?: unknown) =>
    apiError(
      'BAD_SECRET',
      `${path} is not a key file of type ${SECRET_TYPE} with at least ${SECRET_BYTES} bytes; restore it from a backup, or remove it to start with new tokens`,
      cause,
    )
  try {
    const { Type, PrivateKey } = JSON.parse(text) as { Type?: unknown; PrivateKey?: unknown }
    const secret = typeof PrivateKey === 'string' ? Buffer.from(PrivateKey, 'base64') : Buffer.alloc(0)
    if (Type !== SECRET_TYPE || secret.length < SECRET_BYTES) throw bad()
    return secret
  } catch (cause) {
    throw cause instanceof SyntaxError ? bad(cause) : cause
  }
}
