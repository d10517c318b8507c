import test from 'ava'
import { formatJobs } from '../../src/cli/sealing-tables.ts'
import type { WorkerJob } from '../../src/protocol/types.ts'

const NOW = Date.UTC(2026, 0, 1, 3)
const WORKER = '0f0c7f9e-1d4b-4c1c-8d6f-0d4d2b2f8a11'

function job(id: string, number: number, given: Partial<WorkerJob>): WorkerJob {
  const sector = { Miner: 1005, Number: number }
  return {
    ID: { Sector: sector, ID: id },
    Sector: sector,
    Task: 'seal/v0/precommit/1',
    RunWait: 0,
    Start: new Date(NOW - 3200).toISOString(),
    Hostname: 'seal-07',
    ...given,
  }
}

test('jobs are laid out as lotus does', (t) => {
  const jobs = [
    job('00000000-0000-0000-0000-000000000000', 9, { RunWait: 2 }),
    job('3fa2b1c0-1111-2222-3333-444444444444', 7, {
      Start: new Date(NOW - (2 * 3600 + 14 * 60 + 3.25) * 1000).toISOString(),
    }),
  ]
  t.is(
    formatJobs({ [WORKER]: jobs }, { [WORKER]: { Enabled: true } }, NOW, false),
    [
      'ID        Sector  Worker    Hostname  Task  State        Time',
      '3fa2b1c0  7       0f0c7f9e  seal-07   PC1   running      2h14m3.2s',
      '00000000  9       0f0c7f9e  seal-07   PC1   assigned(1)  3.2s',
      '',
    ].join('\n'),
  )
})

test('a worker that has not come back after a restart of the sealer has no name yet', (t) => {
  const away = job('3fa2b1c0-1111-2222-3333-444444444444', 7, { Hostname: '', RunWait: -1 })
  t.is(
    formatJobs({ [WORKER]: [away] }, {}, NOW, false),
    [
      'ID        Sector  Worker    Hostname        Task  State                   Time',
      '3fa2b1c0  7       0f0c7f9e  (not back yet)  PC1   ret-wait (worker away)  3.2s',
      '',
    ].join('\n'),
  )
})

test('what a dead worker ran is not shown as if it still did', (t) => {
  const listing = formatJobs(
    { [WORKER]: [job('3fa2b1c0-1111-2222-3333-444444444444', 7, {}), job('4', 8, { RunWait: -2 })] },
    { [WORKER]: { Enabled: false } },
    NOW,
    false,
  )
  t.regex(listing, /seal-07 +PC1 +running \(worker away\)/)
  t.regex(listing, /PC1 +returned +3\.2s/)
})
