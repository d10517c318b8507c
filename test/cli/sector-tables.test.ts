import test from 'ava'
import { lineOf, sectorLines } from '../../src/cli/sector-lines.ts'
import {
  formatSectors as formatLines,
  formatSectorStatus,
  type SectorColumns,
} from '../../src/cli/sector-tables.ts'
import { RpcError } from '../../src/protocol/errors.ts'
import type { SectorStatus } from '../../src/protocol/types.ts'

const formatSectors = (sectors: SectorStatus[], columns?: SectorColumns) =>
  formatLines(sectors.map(lineOf), columns)

const CID = { '/': 'bafy' }

function sector(number: number, given: Partial<SectorStatus>, offline = false): SectorStatus {
  return {
    SectorID: number,
    State: 'Proving',
    CommD: null,
    CommR: null,
    Ticket: { Value: null, Epoch: 0 },
    Seed: { Value: null, Epoch: 0 },
    PreCommitMsg: CID,
    CommitMsg: CID,
    Proof: null,
    Retries: 0,
    LastErr: '',
    SealProof: 8,
    Log: [],
    Sealyard: {
      Miner: 1005,
      offline,
      commit2: null,
      commit2Input: null,
      pieces: [],
      keepUnsealed: false,
      paused: null,
      logTimes: [],
    },
    ...given,
  }
}

test('a sector is on chain and active with its proof, not with its pre-commit', (t) => {
  const listing = formatSectors([
    sector(7, {}),
    sector(8, { CommitMsg: null }),
    sector(9, { State: 'WaitSeed', CommitMsg: null }),
    sector(10, { State: 'CommitWait' }),
    sector(11, { State: 'FinalizeSector' }),
    sector(12, {}, true),
  ])
  t.is(
    listing,
    [
      'ID  State           OnChain  Active  Deals',
      '7   Proving         YES      YES     CC',
      '8   Proving         NO       NO      CC',
      '9   WaitSeed        NO       NO      CC',
      '10  CommitWait      NO       NO      CC',
      '11  FinalizeSector  YES      NO      CC',
      '12  Proving         offline  YES     CC',
      '',
    ].join('\n'),
  )
})

const DEFERRED =
  "deferred, the proof is still missing and nothing was committed: no worker could run C2; or prove it elsewhere ('sectors commit2-input 7 --output FILE')"
const WAITING = 'waiting until 2026-01-01T03:00:20.000Z for workers to reconnect before C2 is deferred'

function withCommit2(number: number, commit2: string, given: Partial<SectorStatus> = {}): SectorStatus {
  const { Sealyard, ...rest } = sector(number, { CommitMsg: null, ...given })
  return Sealyard === undefined ? rest : { ...rest, Sealyard: { ...Sealyard, commit2 } }
}

test('the list says in two words what C2 is at, the status in all of them', (t) => {
  const deferred = withCommit2(7, DEFERRED)
  const listing = formatSectors([deferred, withCommit2(8, WAITING, { State: 'Committing' })])
  t.is(
    listing,
    [
      'ID  State       OnChain  Active  Deals  Note',
      '7   Proving     NO       NO      CC     C2 deferred',
      '8   Committing  NO       NO      CC     C2 waiting',
      '',
    ].join('\n'),
  )
  t.true(formatSectorStatus(deferred, false, false).includes(`C2:\t${DEFERRED}\n`))
})

test('how long a sealing took and how many events it saw are shown when asked for; what only a chain knows never is', (t) => {
  const at = (Timestamp: number, Message: string) => ({ Kind: 'state', Timestamp, Trace: '', Message })
  const Log = [
    at(1000, 'created'),
    at(2000, 'FIN; FinalizeSector → Proving'),
    at(9000, 'C2; Committing → Proving'),
  ]
  const listing = formatSectors(
    [sector(7, { Log }), sector(8, { State: 'PreCommit1', Log: Log.slice(0, 1) })],
    {
      sealTime: true,
      events: true,
    },
  )
  t.regex(
    listing,
    /^ID +State +OnChain +Active +SealTime +Events +Deals\n7 +Proving +YES +YES +16m40s +3 +CC\n/,
  )
  t.regex(listing, /\n8 +PreCommit1 +YES +NO +1 +CC\n$/)
  t.notRegex(listing, /Expiration|Pledge/)
  const day = [at(0, 'created'), at(90_061, 'x; FinalizeSector → Proving')]
  t.regex(formatSectors([sector(7, { Log: day })], { sealTime: true }), / 25h1m1s /)
})

test('an event has its milliseconds where the node knows them, and none where it does not', (t) => {
  const Log = [{ Kind: 'state', Timestamp: 1_767_225_600, Trace: '', Message: 'created' }]
  const ours = sector(7, { Log })
  const known = { ...ours, Sealyard: { ...ours.Sealyard!, logTimes: [1_767_225_600_123] } }
  t.regex(formatSectorStatus(known, true, false), /0\.\t2026-01-01T00:00:00\.123Z:/)
  const { Sealyard: _, ...strangers } = ours
  t.regex(formatSectorStatus(strangers, true, false), /0\.\t2026-01-01T00:00:00Z:/)
})

test('a long last error is cut in the list and whole in the status', (t) => {
  const words = `PC1: ${'no storage path holds it '.repeat(10)}`.trim()
  const failed = sector(9, { State: 'SealPreCommit1Failed', LastErr: words })
  const note = formatSectors([failed]).trim().split('\n')[1]?.split(/ {2,}/).at(-1) ?? ''
  t.true(note.length <= 60 && note.endsWith('…') && words.startsWith(note.slice(0, -1)), note)
  t.true(formatSectorStatus(failed, false, false).includes(words))
})

test('a list is one call, and no log or proof comes with it', async (t) => {
  const { Log: _log, Proof: _proof, ...fields } = sector(7, {})
  const { logTimes: _times, ...extras } = fields.Sealyard!
  const line = { ...fields, Events: 2000, FirstEventAt: 1000, ProvingAt: 5000, Sealyard: extras }
  const never = async () => t.fail() as never
  const client = { SectorLines: async () => [line], SectorsList: never, SectorsStatus: never }
  t.deepEqual(await sectorLines(client), [line])
  t.regex(formatLines([line], { sealTime: true, events: true }), / 4s +2000 /)
})

test('a node that does not know that call is asked sector by sector', async (t) => {
  const entry = { Kind: 'state', Timestamp: 1000, Trace: '', Message: 'created' }
  const unknown = new RpcError({ rpcCode: -32601, method: 'SectorLines', url: '', message: 'not found' })
  const client = {
    SectorLines: () => Promise.reject(unknown),
    SectorsList: async () => [7],
    SectorsStatus: async (number: number) => sector(number, { Log: [entry], Proof: 'cHJvb2Y=' }),
  }
  const [line] = await sectorLines(client)
  t.deepEqual([line?.Events, line?.FirstEventAt, line?.ProvingAt], [1, 1_000_000, null])
  t.false(JSON.stringify(line).includes('cHJvb2Y='))
  await t.throwsAsync(sectorLines({ ...client, SectorLines: () => Promise.reject(new Error('away')) }), {
    message: 'away',
  })
})
