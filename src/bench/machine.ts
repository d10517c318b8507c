import { readFileSync, realpathSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

/** What a number was measured on; without it the number says nothing. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  /** A guest may give memory back to its host, which makes first use of it slow. */
  readonly virtual: boolean
  /** It changes a server's CPU by half; servers compared here all use the same. */
  readonly congestionControl: string
  /** Load over the last minute, before the first round. */
  readonly load: number
}

export interface FilesystemFacts {
  readonly directory: string
  readonly type: string
  readonly device: string
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(readOr('/proc/cpuinfo', '')),
    congestionControl: readOr('/proc/sys/net/ipv4/tcp_congestion_control', 'unknown').trim(),
    load: loadavg()[0] ?? 0,
  }
}

/** Which filesystem a directory is on, by the longest mount point above it. */
export function describeFilesystem(directory: string): FilesystemFacts {
  const path = realpathSync(directory)
  let [best, found] = ['', { type: 'unknown', device: 'unknown' }]
  for (const line of readOr('/proc/self/mountinfo', '').split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const point = unescaped(before.split(' ')[4] ?? '')
    const isAbove = point === '/' || path === point || path.startsWith(`${point}/`)
    // Of two mounts on one point the later one is seen.
    if (point === '' || !isAbove || point.length < best.length) continue
    const [type = 'unknown', device = 'unknown'] = after.split(' ')
    ;[best, found] = [point, { type, device: unescaped(device) }]
  }
  return { directory: path, ...found }
}

/** Blanks and the like stand as `\040` in mountinfo. */
function unescaped(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}
