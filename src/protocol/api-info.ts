import { isIPv4, isIPv6 } from 'node:net'
import { ProtocolError } from './errors.ts'

/** Where a node listens, and the token to use there. */
export interface ApiInfo {
  /** `http://127.0.0.1:2345`, without a path */
  readonly url: string
  /** Empty when none was given: then only what needs no permission can be called. */
  readonly token: string
}

/** A JSON web token, then a colon: what comes before the first colon of anything else is no token. */
const TOKEN_AND_ADDRESS = /^([\w-]+\.[\w-]+\.[\w-]*):(.+)$/s
const MULTIADDR = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})(?:\/(http|https|ws|wss))?\/?$/

/**
 * Reads the field's `TOKEN:MULTIADDR`, as in `SEALER_API_INFO`; the address may be a URL too, the token may be missing.
 * @param variable where the text came from, for the error
 * @throws ProtocolError BAD_API_INFO
 */
export function parseApiInfo(text: string, variable: string): ApiInfo {
  const trimmed = text.trim()
  const match = TOKEN_AND_ADDRESS.exec(trimmed)
  const [token, address] = match === null ? ['', trimmed] : [match[1] ?? '', match[2] ?? '']
  try {
    return { url: parseMultiaddr(address), token }
  } catch (cause) {
    throw new ProtocolError({
      code: 'BAD_API_INFO',
      level: 'permanent',
      // The text holds a token, so the message must not repeat it.
      message: `${variable} is not TOKEN:MULTIADDR; write it like eyJhbGci….….…:/ip4/10.0.0.5/tcp/2345/http ('sealyard-sealer auth api-info' prints it)`,
      cause,
    })
  }
}

/** The text that `auth api-info` prints. */
export function formatApiInfo(info: ApiInfo): string {
  const { protocol, hostname, port } = new URL(info.url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const address = formatMultiaddr(host, Number(port || (protocol === 'https:' ? 443 : 80)))
  return `${info.token}:${protocol === 'https:' ? address.replace(/http$/, 'https') : address}`
}

/**
 * `/ip4/127.0.0.1/tcp/2345/http` → `http://127.0.0.1:2345`; an http or https URL stands for itself.
 * @throws ProtocolError BAD_ADDRESS
 */
export function parseMultiaddr(text: string): string {
  const trimmed = text.trim()
  if (/^(https?|wss?):\/\//.test(trimmed)) return urlOrigin(trimmed)
  const { host, port, secure } = splitMultiaddr(trimmed)
  return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Whether a host to listen on means every address of the machine; none that others could call. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/**
 * Where to listen: `/ip4/0.0.0.0/tcp/3456/http`, `0.0.0.0:3456`, `[::]:3456` or `:3456`.
 * @throws ProtocolError BAD_ADDRESS
 */
export function parseListenAddress(text: string): { host: string; port: number } {
  const trimmed = text.trim()
  if (trimmed.startsWith('/')) {
    const { host, port } = splitMultiaddr(trimmed)
    return { host, port }
  }
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(trimmed)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw badAddress(trimmed)
  return { host: match[1] ?? (match[2] === '' ? '0.0.0.0' : (match[2] ?? '')), port }
}

/** The field's form of a listening address. */
export function formatMultiaddr(host: string, port: number): string {
  const protocol = isIPv4(host) ? 'ip4' : isIPv6(host) ? 'ip6' : 'dns'
  return `/${protocol}/${host}/tcp/${port}/http`
}

function splitMultiaddr(text: string): { host: string; port: number; secure: boolean } {
  const match = MULTIADDR.exec(text)
  if (match === null) throw badAddress(text)
  const [, protocol, host = '', portText, transport] = match
  const port = Number(portText)
  const fits = protocol === 'ip4' ? isIPv4(host) : protocol === 'ip6' ? isIPv6(host) : /^[\w.-]+$/.test(host)
  if (!fits || port > 65_535) throw badAddress(text)
  return { host, port, secure: transport === 'https' || transport === 'wss' }
}

function urlOrigin(text: string): string {
  if (!URL.canParse(text)) throw badAddress(text)
  return new URL(text.replace(/^ws/, 'http')).origin
}

function badAddress(text: string): ProtocolError {
  return new ProtocolError({
    code: 'BAD_ADDRESS',
    level: 'permanent',
    message: `'${text}' is not an address; write it like /ip4/127.0.0.1/tcp/2345/http or http://127.0.0.1:2345`,
  })
}
