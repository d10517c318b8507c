import type { SectorStatus } from '../protocol/types.ts'
import { formatTable } from './table.ts'

/** `sectors list`. OnChain is what this node believes; an offline chain is marked. */
export function formatSectors(sectors: readonly SectorStatus[]): string {
  const rows = sectors.map((sector) => [
    String(sector.SectorID),
    sector.State,
    sector.PreCommitMsg === null ? 'NO' : sector.Sealyard?.offline === true ? 'offline' : 'YES',
    sector.State === 'Proving' || sector.State === 'Available' ? 'YES' : 'NO',
    deals(sector),
    note(sector),
  ])
  return formatTable(['ID', 'State', 'OnChain', 'Active', 'Deals', 'Note'], rows)
}

function deals(sector: SectorStatus): string {
  const data = (sector.Sealyard?.pieces ?? []).filter((piece) => piece.dataBytes > 0)
  return data.length === 0 ? 'CC' : String(data.length)
}

function note(sector: SectorStatus): string {
  return sector.LastErr !== '' && sector.State.endsWith('Failed')
    ? sector.LastErr
    : (sector.Sealyard?.commit2 ?? '')
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
