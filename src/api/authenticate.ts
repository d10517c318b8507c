import type { Permission } from '../protocol/method.ts'
import type { TokenVerifier } from './auth.ts'
import { empty, type HttpAnswer, type HttpRequest, unauthorized, words } from './http-types.ts'
import type { StorageScope } from './scopes.ts'

export type Authentication =
  | { readonly permissions: readonly Permission[]; readonly scopes?: readonly StorageScope[] }
  | { readonly refusal: HttpAnswer }

/**
 * Who asks, from the Authorization header alone. Nobody has no permission at all; a token in the URL is refused,
 * because URLs end in logs.
 */
export async function authenticate(request: HttpRequest, verifier: TokenVerifier): Promise<Authentication> {
  if (new URLSearchParams(request.query).has('token')) {
    const text = "a token in the URL ends in logs; send it as the header 'Authorization: Bearer <token>'"
    return { refusal: unauthorized(text) }
  }
  const header = request.headers.authorization
  if (header === undefined) return { permissions: [] }
  const token = /^Bearer (\S+)$/.exec(header)?.[1]
  if (token === undefined) return { refusal: empty(401) }
  const verification = await verifier.verify(token)
  if (verification.outcome === 'known') {
    const { permissions, scopes } = verification
    return scopes === undefined ? { permissions } : { permissions, scopes }
  }
  if (verification.outcome === 'denied') {
    const { reason } = verification
    return { refusal: reason === undefined ? empty(401) : unauthorized(reason) }
  }
  return { refusal: words(503, 'the sealer is away, so this token cannot be checked now; try again later') }
}
