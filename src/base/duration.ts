import { SealyardError } from './errors.ts'

const NS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/**
 * A duration as Go prints it: `800µs`, `1.1ms`, `2h14m3.2s`, `0s`.
 * @param ms milliseconds; fractions count to the nanosecond
 */
export function formatDuration(ms: number): string {
  const sign = ms < 0 ? '-' : ''
  const ns = Math.round(Math.abs(ms) * 1e6)
  if (ns === 0) return '0s'
  if (ns < 1e3) return `${sign}${ns}ns`
  if (ns < 1e6) return `${sign}${ns / 1e3}µs`
  if (ns < 1e9) return `${sign}${ns / 1e6}ms`
  const hours = Math.floor(ns / 3600e9)
  const minutes = Math.floor((ns % 3600e9) / 60e9)
  const seconds = Number(((ns % 60e9) / 1e9).toFixed(9))
  const head = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : ''
  return `${sign}${head}${seconds}s`
}

/**
 * Reads a Go duration: `300ms`, `1.5h`, `2h14m3.2s`, `0`.
 * @returns milliseconds
 * @throws SealyardError BAD_DURATION when it is none
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim()
  const match = /^([+-])?((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/.exec(trimmed)
  if (match === null) {
    throw new SealyardError({
      code: 'BAD_DURATION',
      level: 'permanent',
      message: `'${text}' is not a duration; write it like 300ms, 90s, 5m or 2h30m`,
    })
  }
  let ns = 0
  for (const part of (match[2] ?? '').matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    ns += Number(part[1]) * (NS_PER_UNIT[part[2] ?? ''] ?? Number.NaN)
  }
  return (match[1] === '-' ? -ns : ns) / 1e6
}

/** Milliseconds to the integer nanoseconds that the field's JSON carries. */
export function msToNs(ms: number): number {
  return Math.round(ms * 1e6)
}

/** The field's integer nanoseconds to milliseconds. */
export function nsToMs(ns: number): number {
  return ns / 1e6
}
