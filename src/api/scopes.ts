import { FILE_TYPES } from '../sectors/file-types.ts'

/** What a token of narrow use may do with sector files. */
export type StorageAction = 'read' | 'write' | 'delete'

/**
 * One grant of such a token. It stands in the token's `Allow` beside the permissions, as `read-storage` or
 * `delete-storage:sealed/s-t01000-7`: lotus knows no such word, so the token is good for nothing there.
 */
export interface StorageScope {
  readonly action: StorageAction
  /** A type, or a type and a sector (`sealed/s-t01000-7`); null: all. */
  readonly path: string | null
}

/** Sectors are written without leading zeroes: a request that writes one otherwise is not what the token names. */
const SCOPE = new RegExp(
  `^(read|write|delete)-storage(?::((?:${FILE_TYPES.join('|')})(?:/s-t0(?:0|[1-9]\\d{0,15})-(?:0|[1-9]\\d{0,15}))?))?$`,
)

/** @returns null when it is none; a push has no path, so `write-storage` takes none */
export function parseScope(text: string): StorageScope | null {
  const [whole, action, path] = SCOPE.exec(text) ?? []
  if (whole === undefined || (action === 'write' && path !== undefined)) return null
  return { action: action as StorageAction, path: path ?? null }
}

export function formatScope({ action, path }: StorageScope): string {
  return `${action}-storage${path === null ? '' : `:${path}`}`
}

/** Those of a token's `Allow`, or of what the sealer says is in it. */
export function scopesIn(allowed: readonly unknown[]): StorageScope[] {
  return allowed.flatMap((each) => (typeof each === 'string' ? (parseScope(each) ?? []) : []))
}

const ACTIONS: Readonly<Record<string, StorageAction>> = { GET: 'read', HEAD: 'read', DELETE: 'delete' }

/** Whether scopes allow a request to `/remote`; what takes a body (proofs) is for admins. */
export function scopesAllow(scopes: readonly StorageScope[], method: string, path: string): boolean {
  const action = ACTIONS[method]
  const below = path.slice('/remote/'.length)
  return (
    path.startsWith('/remote/') &&
    scopes.some(
      (each) =>
        each.action === action &&
        (each.path === null || below === each.path || below.startsWith(`${each.path}/`)),
    )
  )
}
