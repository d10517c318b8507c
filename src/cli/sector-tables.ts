import type { SectorLine, SectorStatus } from '../protocol/types.ts'
import { formatTable } from './table.ts'

/** Columns that are shown when they are asked for, as lotus does. */
export interface SectorColumns {
  readonly sealTime?: boolean
  readonly events?: boolean
}

/**
 * `sectors list`. As lotus has it, a sector is on chain with its proof, not with its pre-commit, and active from
 * then on while it is proven; both are what this node believes, and an offline chain is marked. Expiration, DealWeight,
 * VerifiedPower and Pledge are the chain's to say: without one there is nothing to print, and the columns are left out.
 */
export function formatSectors(
  sectors: readonly SectorLine[],
  { sealTime = false, events = false }: SectorColumns = {},
): string {
  const rows = sectors.map((sector) => [
    String(sector.SectorID),
    sector.State,
    !isCommitted(sector) ? 'NO' : sector.Sealyard?.offline === true ? 'offline' : 'YES',
    isCommitted(sector) && RESTING.includes(sector.State) ? 'YES' : 'NO',
    sealTime ? sealTimeOf(sector) : '',
    events ? String(sector.Events) : '',
    deals(sector),
    note(sector),
  ])
  return formatTable(['ID', 'State', 'OnChain', 'Active', 'SealTime', 'Events', 'Deals', 'Note'], rows)
}

const HOUR_SECONDS = 3600

/** From the first event to the one that made it proving, as Go prints a duration; '' while it is not. */
function sealTimeOf({ FirstEventAt: first, ProvingAt: proving }: SectorLine): string {
  if (first === null || proving === null) return ''
  return goDuration(Math.floor(proving / 1000) - Math.floor(first / 1000))
}

/** 3725 → 1h2m5s */
function goDuration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / HOUR_SECONDS), Math.floor(seconds / 60)]
  return `${hours > 0 ? `${hours}h` : ''}${minutes > 0 ? `${minutes % 60}m` : ''}${seconds % 60}s`
}

const RESTING: readonly string[] = ['Proving', 'Available']
const COMMITTING: readonly string[] = ['CommitWait', 'CommitFailed', 'Removing', 'Removed', 'RemoveFailed']

/** Whether the message with the proof has landed. */
function isCommitted({ CommitMsg, State }: SectorLine): boolean {
  return CommitMsg !== null && !COMMITTING.includes(State)
}

function deals(sector: Pick<SectorLine, 'Sealyard'>): string {
  const data = (sector.Sealyard?.pieces ?? []).filter((piece) => piece.dataBytes > 0)
  return data.length === 0 ? 'CC' : String(data.length)
}

function note(sector: SectorLine): string {
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

/** Of a lotus node only the second is known, and no more is said. */
function timeOf(seconds: number, milliseconds: number | undefined): string {
  if (milliseconds !== undefined) return new Date(milliseconds).toISOString()
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

function formatLog(status: SectorStatus): string {
  const lines = status.Log.map((entry, index) => {
    const at = timeOf(entry.Timestamp, status.Sealyard?.logTimes[index])
    const trace = entry.Trace === '' ? '' : `\n\t${entry.Trace.replaceAll('\n', '\n\t')}`
    return `${index}.\t${at}:\t[${entry.Kind}]\t${entry.Message}${trace}\n`
  })
  return `--------\nEvent Log:\n${lines.join('')}`
}
