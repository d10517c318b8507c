import { formatBytes } from '../base/bytes.ts'
import { formatDuration } from '../base/duration.ts'
import type { Declaration, FsStat, StorageInfo } from '../protocol/types.ts'
import { FILE_TYPE_BIT, FILE_TYPES, type SectorFileType } from '../sectors/file-types.ts'
import type { Paint } from './paint.ts'

/** All that `storage list` shows of one path. */
export interface ListedPath {
  readonly info: StorageInfo
  readonly declarations: readonly Declaration[]
  /** The path's space, or why it could not be asked. */
  readonly stat: FsStat | { readonly error: string }
  /** How long the stat took. */
  readonly latencyMs: number
  /** Where this node has it, or null. */
  readonly local: string | null
}

const BAR_COLUMNS = 50

/** lotus' bar: whole-number arithmetic, reserved stars drawn inside the used part. */
function bar(used: number, capacity: number, reserved: number): string {
  const filled = capacity > 0 ? Math.min(BAR_COLUMNS, Math.floor((used * BAR_COLUMNS) / capacity)) : 0
  const plain = capacity > 0 ? Math.max(0, Math.floor(((used - reserved) * BAR_COLUMNS) / capacity)) : 0
  const hashes = Math.min(filled, plain)
  return `${'#'.repeat(hashes)}${'*'.repeat(filled - hashes)}`.padEnd(BAR_COLUMNS)
}

function usageLine(used: number, capacity: number, reserved: number, note: string, paint: Paint): string {
  const percent = capacity > 0 ? Math.floor((used * 100) / capacity) : 0
  const colour = percent > 98 ? 'red' : percent > 90 ? 'yellow' : 'green'
  const share = paint(colour, `${percent}%`)
  return `\t[${bar(used, capacity, reserved)}] ${formatBytes(used)}/${formatBytes(capacity)} ${share}${note}\n`
}

function usageLines(stat: FsStat, paint: Paint): string {
  const used = stat.Capacity - stat.FSAvailable
  if (stat.Max === 0) return usageLine(used, stat.Capacity, stat.Reserved, '', paint)
  return (
    usageLine(used, stat.Capacity, stat.Reserved, ' (filesystem)', paint) +
    usageLine(stat.Used, stat.Max, 0, ' (limit)', paint)
  )
}

function count(declarations: readonly Declaration[], type: SectorFileType): number {
  return declarations.filter((each) => (each.SectorFileType & FILE_TYPE_BIT[type]) !== 0).length
}

function countsLine(path: ListedPath, reserved: number): string {
  const of = (type: SectorFileType) => count(path.declarations, type)
  return (
    `\tUnsealed: ${of('unsealed')}; Sealed: ${of('sealed')}; Caches: ${of('cache')}; ` +
    `Updated: ${of('update')}; Update-caches: ${of('update-cache')}; Reserved: ${formatBytes(reserved)}\n`
  )
}

function useLine(info: StorageInfo, paint: Paint): string {
  if (!info.CanSeal && !info.CanStore) return `\tUse: ${paint('yellow', 'ReadOnly')}\n`
  const uses = [info.CanSeal ? 'Seal ' : '', info.CanStore ? 'Store' : ''].join('')
  return `\tWeight: ${info.Weight}; Use: ${uses}\n`
}

function typeLines(info: StorageInfo): string {
  if (info.AllowTypes.length === 0 && info.DenyTypes.length === 0) return ''
  const allowed = FILE_TYPES.filter(
    (type) =>
      (info.AllowTypes.length === 0 || info.AllowTypes.includes(type)) && !info.DenyTypes.includes(type),
  )
  const denied = FILE_TYPES.filter((type) => !allowed.includes(type))
  if (allowed.length === 0) return '\tAllow Types: None\n'
  if (allowed.length < denied.length) return `\tAllow Types: ${allowed.join(' ')}\n`
  return denied.length === 0 ? '' : `\tDeny Types:  ${denied.join(' ')}\n`
}

function urlLines(path: ListedPath): string {
  return path.info.URLs.map((url, index) => {
    const latency =
      index === 0 && path.local === null ? ` (latency: ${formatDuration(truncated(path.latencyMs))})` : ''
    return `\tURL: ${url}${latency}\n`
  }).join('')
}

/** lotus truncates latencies to 0.1 ms. */
function truncated(ms: number): number {
  return Math.max(0.1, Math.floor(ms * 10) / 10)
}

function block(path: ListedPath, paint: Paint): string {
  const head = `${path.info.ID}:\n`
  if ('error' in path.stat) return `${head}\t${paint('red', 'Error')}: ${path.stat.error}:\n`
  return [
    head,
    usageLines(path.stat, paint),
    countsLine(path, path.stat.Reserved),
    useLine(path.info, paint),
    path.info.Groups.length > 0 ? `\tGroups: ${path.info.Groups.join(', ')}\n` : '',
    path.info.AllowTo.length > 0 ? `\tAllowTo: ${path.info.AllowTo.join(', ')}\n` : '',
    typeLines(path.info),
    path.local === null ? '' : `\tLocal: ${path.local}\n`,
    urlLines(path),
    '\n',
  ].join('')
}

/** The whole listing in lotus' current layout: biggest path first, then by ID. */
export function formatStorageList(paths: readonly ListedPath[], paint: Paint): string {
  const capacity = (path: ListedPath) => ('error' in path.stat ? 0 : path.stat.Capacity)
  return [...paths]
    .sort((a, b) => capacity(b) - capacity(a) || (a.info.ID < b.info.ID ? -1 : 1))
    .map((path) => block(path, paint))
    .join('')
}
