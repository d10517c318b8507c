import test from 'ava'
import { failedChange, MOST_TRIES } from '../../src/pipeline/failures.ts'
import type { SectorRecord } from '../../src/pipeline/sector-record.ts'
import { SchedulerError } from '../../src/scheduler/errors.ts'
import { type PipelineAtHand, PROOF, pipelineAtHand, statesOf } from './pipeline-at-hand.ts'

function taskFailure(level: 'temporary' | 'permanent') {
  return new SchedulerError({ code: 'TASK_FAILED', level, message: 'the child died', sector: 's-t01005-1' })
}

/** A sector of zeroes at PC1. */
const A_SECTOR: SectorRecord = {
  id: { Miner: 1005, Number: 1 },
  proofType: 5,
  state: 'PreCommit1',
  pieces: [],
  ticket: null,
  ticketEpoch: null,
  seed: null,
  seedEpoch: null,
  commD: null,
  commR: null,
  phase1Output: null,
  commit1File: null,
  proof: null,
  preCommitMessage: null,
  preCommitEpoch: null,
  commitMessage: null,
  retries: 0,
  tries: 0,
  paused: null,
  preCommit1Fails: 0,
  preCommit2Fails: 0,
  lastError: null,
  keepUnsealed: false,
  finalized: false,
  staging: null,
  createdAt: 0,
  updatedAt: 0,
}

/** Which call fails once → state after the failure, state that it is tried again in. */
const FAILURES: readonly (readonly [call: string, failed: string, retried: string])[] = [
  ['AP 0 2032 zeroes', 'PackingFailed', 'Packing'],
  ['ticket', 'SealPreCommit1Failed', 'GetTicket'],
  ['PC1', 'SealPreCommit1Failed', 'PreCommit1'],
  ['PC2', 'SealPreCommit2Failed', 'PreCommit2'],
  ['submitPreCommit', 'PreCommitFailed', 'PreCommitting'],
  ['preCommitLanded', 'PreCommitFailed', 'PreCommitWait'],
  ['seed', 'PreCommitFailed', 'WaitSeed'],
  ['C1', 'ComputeProofFailed', 'Committing'],
  ['C2 {"vanilla":"proofs"}', 'ComputeProofFailed', 'Committing'],
  ['submitCommit', 'CommitFailed', 'SubmitCommit'],
  ['commitLanded', 'CommitFailed', 'CommitWait'],
  ['FIN nothing', 'FinalizeFailed', 'FinalizeSector'],
]

for (const [call, failed, retried] of FAILURES) {
  test(`a failure of ${call.split(' ')[0]} waits in ${failed} and is tried again in ${retried}`, async (t) => {
    const { api, until, cluster, clock, retry } = await pipelineAtHand(t)
    let fails = 1
    cluster.script = (each) => {
      if (each === call && fails-- > 0) throw taskFailure('permanent')
    }
    await api().PledgeSector()
    const broken = await until(1, failed)
    t.is(broken.Retries, 1)
    t.is(broken.LastErr, 'the child died')
    t.is(broken.Log.at(-1)?.Kind, 'error')
    await clock.advance(59_000)
    t.is((await api().SectorsStatus(1, false)).State, failed, 'not before MinRetryTime')
    await retry()
    const status = await until(1, 'Proving')
    const states = statesOf(status)
    t.is(states[states.indexOf(failed) + 1], retried)
    t.is(cluster.calls.filter((each) => each === call).length, 2)
    const others = cluster.calls.filter((each) => each !== call)
    t.is(new Set(others).size, others.length, 'nothing else is done twice')
  })
}

test('a sector of zeroes whose PC1 fails a fourth time is removed', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  cluster.script = (call) => {
    if (call === 'PC1') throw taskFailure('permanent')
  }
  await api().PledgeSector()
  for (let failures = 1; failures <= 3; failures++) {
    await until(1, 'SealPreCommit1Failed')
    await retry()
  }
  await until(1, 'Removed')
  t.is(cluster.calls.filter((call) => call === 'PC1').length, 4)
  t.is(cluster.calls.at(-1), 'remove')
})

test('a full disk or a restarted worker does not count towards removal', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  let fails = 6
  cluster.script = (call) => {
    if (call === 'PC1' && fails-- > 0) throw taskFailure('temporary')
  }
  await api().PledgeSector()
  for (let failures = 1; failures <= 6; failures++) {
    await until(1, 'SealPreCommit1Failed')
    await retry()
  }
  const status = await until(1, 'Proving')
  t.is(status.Retries, 6)
})

test('a sector with data is never removed by itself', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  cluster.offered.set('a', Buffer.alloc(1500, 1))
  let fails = 5
  cluster.script = (call) => {
    if (call === 'PC1' && fails-- > 0) throw taskFailure('permanent')
  }
  await api().SectorAdd({ pieces: [{ dataBytes: 1500, reader: { Type: 'push', Info: 'a' } }] })
  for (let failures = 1; failures <= 5; failures++) {
    await until(1, 'SealPreCommit1Failed')
    await retry()
  }
  await until(1, 'Proving')
  t.false(cluster.calls.includes('remove'))
})

test('a sector that was pre-committed is paused, not removed, when PC1 fails again and again', (t) => {
  const record = { ...A_SECTOR, preCommitMessage: 'bafy', preCommit1Fails: 3, tries: MOST_TRIES - 1 }
  const change = failedChange(record, 'PreCommit1', taskFailure('permanent'))
  t.is(change.to, 'SealPreCommit1Failed')
  t.regex(change.set?.paused ?? '', /'sectors retry 1'/)
  t.is(
    failedChange({ ...record, preCommitMessage: null }, 'PreCommit1', taskFailure('permanent')).to,
    'Removing',
  )
})

test('the fourth failure of PC2 leads back to PC1', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  let fails = 4
  cluster.script = (call) => {
    if (call === 'PC2' && fails-- > 0) throw taskFailure('permanent')
  }
  await api().PledgeSector()
  for (let failures = 1; failures <= 4; failures++) {
    await until(1, 'SealPreCommit2Failed')
    await retry()
  }
  await until(1, 'Proving')
  t.deepEqual(cluster.calls.slice(2, 9), ['PC1', 'PC2', 'PC2', 'PC2', 'PC2', 'PC1', 'PC2'])
})

test('finalizing is tried again without limit', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  let fails = 12
  cluster.script = (call) => {
    if (call.startsWith('FIN') && fails-- > 0) throw taskFailure('permanent')
  }
  await api().PledgeSector()
  for (let failures = 1; failures <= 12; failures++) {
    await until(1, 'FinalizeFailed')
    await retry()
  }
  t.is((await until(1, 'Proving')).Retries, 12)
})

test('a proof of C2 that is not valid is not submitted', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  cluster.proof = Buffer.alloc(192, 1)
  await api().PledgeSector()
  const status = await until(1, 'ComputeProofFailed')
  t.regex(status.LastErr, /the proof is not valid/)
  t.is(status.Proof, null)
  t.false(cluster.calls.includes('submitCommit'))
  cluster.proof = PROOF
  await retry()
  await until(1, 'Proving')
  t.is(cluster.calls.filter((call) => call === 'C1').length, 1, "C1's output is used again")
})

function unusable(workerCode = 'CACHE_UNUSABLE') {
  const words = { code: 'TASK_FAILED', level: 'permanent', message: 'PC1 first' } as const
  return new SchedulerError({ ...words, callCode: 0, workerCode })
}

/** Comes back when sector 1 is paused. */
async function paused(api: PipelineAtHand['api']) {
  for (;;) {
    const status = await api().SectorsStatus(1, false)
    if (status.Sealyard?.paused != null) return status
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a C1 whose cache cannot be used leads back to PC1 and PC2, and the chain hears nothing twice', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  let fails = 1
  cluster.script = (call) => {
    if (call === 'C1' && fails-- > 0) throw unusable()
  }
  await api().PledgeSector()
  await until(1, 'SealPreCommit2Failed')
  await retry()
  const status = await until(1, 'Proving')
  const [tasks, chain] = [/^(PC|C)\d/, /^(submit|ticket|seed)/].map((which) =>
    cluster.calls.filter((call) => which.test(call)).map((call) => call.split(' ')[0]),
  )
  t.deepEqual(tasks, ['PC1', 'PC2', 'C1', 'PC1', 'PC2', 'C1', 'C2'])
  t.deepEqual(chain, ['ticket', 'submitPreCommit', 'seed', 'submitCommit'])
  const states = statesOf(status)
  t.is(states[states.lastIndexOf('PreCommit2') + 1], 'Committing')
})

test('a cache that C1 can never use does not keep the sector going round', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  cluster.script = (call) => {
    if (call === 'C1') throw unusable()
  }
  await api().PledgeSector()
  for (let failures = 1; failures < MOST_TRIES; failures++) {
    await until(1, 'SealPreCommit2Failed')
    await retry()
  }
  const status = await paused(api)
  t.regex(status.Sealyard?.paused ?? '', /failed 10 times in a row/)
  t.is(cluster.calls.filter((call) => call === 'C1').length, MOST_TRIES)
})

test('a PC2 that makes another comm_r than the one that was pre-committed stops its sector', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  cluster.script = (call) => {
    if (call !== 'C1') return
    cluster.commR = 'ab'.repeat(32)
    throw unusable()
  }
  await api().PledgeSector()
  const before = await until(1, 'SealPreCommit2Failed')
  await retry()
  const status = await paused(api)
  t.deepEqual([status.State, status.CommR], ['SealPreCommit2Failed', before.CommR])
  t.regex(status.LastErr, /PC2 made comm_r bagboea4b5abcb.*, but the sector has bagboea4b5abc.* already/)
  t.regex(status.Sealyard?.paused ?? '', /asks for somebody to look/)
})

for (const workerCode of ['NOT_RESTARTABLE', 'CACHE_UNUSABLE']) {
  test(`a PC2 that fails with ${workerCode} goes to PC1 with the first failure`, async (t) => {
    const { api, until, cluster, retry } = await pipelineAtHand(t)
    let fails = 1
    cluster.script = (call) => {
      if (call === 'PC2' && fails-- > 0) throw unusable(workerCode)
    }
    await api().PledgeSector()
    await until(1, 'SealPreCommit2Failed')
    await retry()
    await until(1, 'Proving')
    t.deepEqual(
      cluster.calls.filter((call) => call.startsWith('PC')),
      ['PC1', 'PC2', 'PC1', 'PC2'],
    )
  })
}

function restarted() {
  return new SchedulerError({
    code: 'WORKER_RESTARTED',
    level: 'temporary',
    message: 'PC2: worker w01 was restarted',
    callCode: 101,
  })
}

test('a step whose worker was restarted is made again at once, and its sector does not change state', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  let fails = 1
  cluster.script = (call) => {
    if (call === 'PC2' && fails-- > 0) throw restarted()
  }
  await api().PledgeSector()
  const status = await until(1, 'Proving')
  t.is(cluster.calls.filter((call) => call === 'PC2').length, 2)
  t.false(statesOf(status).some((state) => state.endsWith('Failed')))
  t.is(status.Retries, 1)
  t.true(
    status.Log.some(({ Message }) => /worker w01 was restarted; it is tried again at once/.test(Message)),
  )
})

test('a worker that dies of its task each time gets it four times, and again after MinRetryTime', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  let fails = 6
  cluster.script = (call) => {
    if (call === 'PC2' && fails-- > 0) throw restarted()
  }
  await api().PledgeSector()
  await until(1, 'SealPreCommit2Failed')
  t.is(cluster.calls.filter((call) => call === 'PC2').length, 4)
  await retry()
  const status = await until(1, 'Proving')
  t.is(cluster.calls.filter((call) => call === 'PC2').length, 7)
  t.is(cluster.calls.filter((call) => call === 'PC1').length, 1)
  t.is(status.Retries, 6)
})
