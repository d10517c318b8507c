import type { SectorStatus } from '../protocol/types.ts'
import { formatTable } from './table.ts'

/**
 * `sectors list`. As lotus has it, a sector is on chain with its proof, not with its pre-commit, and active from
 * then on while it is proven; both are what this node believes, and an offline chain is marked.
 */
export function formatSectors(sectors: readonly SectorStatus[]): string {
  const rows = sectors.map((sector) => [
    String(sector.SectorID),
    sector.State,
    !isCommitted(sector) ? 'NO' : sector.Sealyard?.offline === true ? 'offline' : 'YES',
    isCommitted(sector) && RESTING.includes(sector.State) ? 'YES' : 'NO',
    deals(sector),
    note(sector),
  ])
  return formatTable(['ID', 'State', 'OnChain', 'Active', 'Deals', 'Note'], rows)
}

const RESTING: readonly string[] = ['Proving', 'Available']
const COMMITTING: readonly string[] = ['CommitWait', 'CommitFailed', 'Removing', 'Removed', 'RemoveFailed']

/** Whether the message with the proof has landed. */
function isCommitted({ CommitMsg, State }: SectorStatus): boolean {
  return CommitMsg !== null && !COMMITTING.includes(State)
}

function deals(sector: SectorStatus): string {
  const data = (sector.Sealyard?.pieces ?? []).filter((piece) => piece.dataBytes > 0)
  return data.length === 0 ? 'CC' : String(data.length)
}

function note(sector: SectorStatus): string {
  const paused = sector.Sealyard?.paused ?? null
  if (paused !== null) return `paused: ${paused}`
  if (sector.LastErr !== '' && sector.State.endsWith('Failed')) return clipped(sector.LastErr)
  const commit2 = sector.Sealyard?.commit2 ?? null
  return commit2 === null ? '' : `C2 ${firstWords(commit2)}`
}

const NOTE_COLUMNS = 60

/** A list has a line a sector: all the words are in `sectors status`. */
function clipped(text: string): string {
  return text.length <= NOTE_COLUMNS ? text : `${text.slice(0, NOTE_COLUMNS - 1).trimEnd()}…`
}

/** Of `deferred, …: …`, `none: …`, `waiting until …` what C2 is at, without what may be done about it. */
function firstWords(commit2: string): string {
  return clipped(commit2.split(/[,:]| until /, 1)[0] ?? '')
}

const hex = (base64: string | null) => (base64 === null ? '' : Buffer.from(base64, 'base64').toString('hex'))

/** `sectors status`: label, tab, value, then what Sealyard adds, then with `--log` the events. */
export function formatSectorStatus(status: SectorStatus, showLog: boolean, showProof: boolean): string {
  const extra = status.Sealyard
  const offline = extra?.offline === true ? ' (offline: made up locally, no chain)' : ''
  const lines: [string, string][] = [
    ['SectorID', String(status.SectorID)],
    ['Status', status.State],
    ['CIDcommD', status.CommD?.['/'] ?? '<nil>'],
    ['CIDcommR', status.CommR?.['/'] ?? '<nil>'],
    ['Ticket', hex(status.Ticket.Value)],
    ['TicketH', `${status.Ticket.Epoch}${offline}`],
    ['Seed', hex(status.Seed.Value)],
    ['SeedH', `${status.Seed.Epoch}${offline}`],
    ['Precommit', status.PreCommitMsg === null ? '<nil>' : `${status.PreCommitMsg['/']}${offline}`],
    ['Commit', status.CommitMsg === null ? '<nil>' : `${status.CommitMsg['/']}${offline}`],
    ...(showProof ? ([['Proof', hex(status.Proof)]] as [string, string][]) : []),
    ['Deals', deals(status)],
    ['Retries', String(status.Retries)],
    ...(status.LastErr === '' ? [] : ([['Last Error', status.LastErr]] as [string, string][])),
    ...sealyardLines(status),
  ]
  const head = lines.map(([label, value]) => `${label}:\t${value}\n`).join('')
  return showLog ? head + formatLog(status) : head
}

function sealyardLines(status: SectorStatus): [string, string][] {
  const extra = status.Sealyard
  if (extra === undefined) return []
  const pieces = extra.pieces.map((piece, index): [string, string] => [
    `Piece ${index}`,
    `${piece.commitment} (${piece.size} bytes padded, ${piece.dataBytes} of data)`,
  ])
  if (extra.paused !== null) pieces.push(['Paused', extra.paused])
  if (extra.commit2 !== null) pieces.push(['C2', extra.commit2])
  if (extra.commit2Input !== null) pieces.push(['C2 input', extra.commit2Input])
  return pieces
}

function formatLog(status: SectorStatus): string {
  const lines = status.Log.map((entry, index) => {
    const at = new Date(entry.Timestamp * 1000).toISOString()
    const trace = entry.Trace === '' ? '' : `\n\t${entry.Trace.replaceAll('\n', '\n\t')}`
    return `${index}.\t${at}:\t[${entry.Kind}]\t${entry.Message}${trace}\n`
  })
  return `--------\nEvent Log:\n${lines.join('')}`
}
