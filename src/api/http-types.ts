/** A request as routes see it, whichever library took it. */
export interface HttpRequest {
  /** Upper case. */
  readonly method: string
  /** As sent: never decoded, so that it cannot be decoded twice. */
  readonly path: string
  /** Without the question mark. */
  readonly query: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Loopback address of the tunnel: names the connection towards the front door. */
  readonly tunnel: string
  /** The body whole; call it after the caller is known, for nothing is buffered before. */
  body(): Promise<Uint8Array>
}

export interface HttpAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** `handed-back`: the front door answers on this very connection; send nothing and let go of it. */
export type RouteResult = HttpAnswer | 'handed-back'

/** Part of the address space. The first route whose pattern fits the path is asked. */
export interface Route {
  readonly pattern: RegExp
  /** Others are answered 405. */
  readonly methods: readonly string[]
  /** False: anybody may ask. True: whoever asks is known and has `admin`. */
  readonly admin: boolean
  handle(request: HttpRequest, match: RegExpExecArray): Promise<RouteResult> | RouteResult
}

const PLAIN = { 'content-type': 'text/plain; charset=utf-8' } as const
/** What Go's http.Error adds. */
const NO_SNIFF = { ...PLAIN, 'x-content-type-options': 'nosniff' } as const

export function empty(status: number): HttpAnswer {
  return { status }
}

/** Text as Go's http.Error sends it. */
export function words(status: number, text: string): HttpAnswer {
  return { status, headers: NO_SNIFF, body: `${text}\n` }
}

/** How lotus words a refusal for lack of permission: JSON, labelled as text. */
export function unauthorized(text: string): HttpAnswer {
  return { status: 401, headers: PLAIN, body: `${JSON.stringify({ Error: `unauthorized: ${text}` })}\n` }
}

/** JSON that Go's server would label as text, because it sniffs. */
export function sniffedJson(value: unknown): HttpAnswer {
  return { status: 200, headers: PLAIN, body: `${JSON.stringify(value)}\n` }
}

export const NOT_FOUND = words(404, '404 page not found')
