import test from 'ava'
import { SchedulerError } from '../../src/scheduler/errors.ts'
import { type PipelineAtHand, pipelineAtHand, turns } from './pipeline-at-hand.ts'

function taskFailure(level: 'temporary' | 'permanent' | 'abort') {
  return new SchedulerError({ code: 'TASK_FAILED', level, message: 'the child died', sector: 's-t01005-1' })
}

const pausedOf = async ({ api }: PipelineAtHand) =>
  (await api().SectorsStatus(1, false)).Sealyard?.paused ?? null

/** Lets a failed sector be tried as long as it is by itself. @returns how often the call was made */
async function untilPaused(hand: PipelineAtHand, call: string, failed: string): Promise<number> {
  for (;;) {
    await hand.until(1, failed)
    if ((await pausedOf(hand)) !== null) return hand.cluster.calls.filter((each) => each === call).length
    await hand.retry()
  }
}

test('a step that fails ten times in a row by itself pauses its sector, until somebody has it tried again', async (t) => {
  const hand = await pipelineAtHand(t)
  const { api, until, cluster, clock } = hand
  let isBroken = true
  cluster.script = (call) => {
    if (call === 'C1' && isBroken) throw taskFailure('permanent')
  }
  await api().PledgeSector()
  t.is(await untilPaused(hand, 'C1', 'ComputeProofFailed'), 10)
  t.regex((await pausedOf(hand)) ?? '', /^it failed 10 times in a row; 'sectors retry 1' tries it again$/)
  await clock.advance(3_600_000)
  await hand.restart()
  await clock.advance(3_600_000)
  t.is(cluster.calls.filter((each) => each === 'C1').length, 10, 'nor after a restart')

  isBroken = false
  await api().SectorRetry(1)
  await until(1, 'Proving')
  t.is(await pausedOf(hand), null)
})

test('what time mends is tried without limit, and does not count', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  let fails = 25
  cluster.script = (call) => {
    if (call === 'C1' && fails-- > 0) throw taskFailure('temporary')
  }
  await api().PledgeSector()
  for (let failed = 0; failed < 25; failed++) {
    await until(1, 'ComputeProofFailed')
    await retry()
  }
  t.is((await until(1, 'Proving')).Retries, 25)
})

test('a step that succeeded forgives the failures before it', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  const fails = new Map([
    ['submitPreCommit', 9],
    ['C1', 9],
  ])
  cluster.script = (call) => {
    const left = fails.get(call) ?? 0
    fails.set(call, left - 1)
    if (left > 0) throw taskFailure('permanent')
  }
  await api().PledgeSector()
  for (const state of ['PreCommitFailed', 'ComputeProofFailed']) {
    for (let failed = 0; failed < 9; failed++) {
      await until(1, state)
      await retry()
    }
  }
  t.is((await until(1, 'Proving')).Retries, 18)
})

test('PC2 that fails whatever PC1 made does not go round for ever', async (t) => {
  const hand = await pipelineAtHand(t)
  hand.cluster.script = (call) => {
    if (call === 'PC2') throw taskFailure('permanent')
  }
  await hand.api().PledgeSector()
  t.is(await untilPaused(hand, 'PC2', 'SealPreCommit2Failed'), 10)
  const made = hand.cluster.calls.filter((call) => call === 'PC1').length
  t.true(made > 1 && made < 10, `PC1 was made ${made} times`)
})

test('a failure that asks to stop the sector stops it at once', async (t) => {
  const hand = await pipelineAtHand(t)
  hand.cluster.script = (call) => {
    if (call === 'PC2') throw taskFailure('abort')
  }
  await hand.api().PledgeSector()
  t.is(await untilPaused(hand, 'PC2', 'SealPreCommit2Failed'), 1)
  t.regex((await pausedOf(hand)) ?? '', /somebody to look; 'sectors retry 1'/)
})

test('an operator has a failed sector tried before its time', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  let fails = 1
  cluster.script = (call) => {
    if (call === 'PC1' && fails-- > 0) throw taskFailure('permanent')
  }
  await api().PledgeSector()
  await until(1, 'SealPreCommit1Failed')
  await api().SectorRetry(1)
  const status = await until(1, 'Proving')
  t.true(status.Log.some(({ Message }) => Message.startsWith('an operator has it tried again')))
  await t.throwsAsync(api().SectorRetry(1), {
    code: 'SECTOR_STATE',
    message: /in Proving: it has not failed$/,
  })
})

test('a paused sector rests where it is, also over a restart, and goes on when it is resumed', async (t) => {
  const hand = await pipelineAtHand(t)
  const { api, until, cluster, clock } = hand
  let letGo: () => void = () => undefined
  cluster.script = (call) => (call === 'PC1' ? new Promise<void>((resolve) => (letGo = resolve)) : undefined)
  await api().PledgeSector()
  await turns(() => cluster.calls.includes('PC1'))
  const pausing = api().SectorPause(1)
  letGo()
  await pausing
  const at = (await api().SectorsStatus(1, false)).State
  t.regex((await pausedOf(hand)) ?? '', /^an operator paused it; 'sectors resume 1'/)
  await hand.restart()
  await clock.advance(3_600_000)
  t.is((await api().SectorsStatus(1, false)).State, at)
  t.false(cluster.calls.includes('PC2'))
  await t.throwsAsync(api().SectorPause(1), { code: 'SECTOR_STATE', message: /it is paused already/ })
  await t.throwsAsync(api().SectorRetry(1), {
    message: /it has not failed; 'sectors resume 1' lets it go on/,
  })

  cluster.script = () => undefined
  await api().SectorResume(1)
  await until(1, 'Proving')
  await t.throwsAsync(api().SectorResume(1), { code: 'SECTOR_STATE', message: /it is not paused/ })
  await t.throwsAsync(api().SectorPause(1), { code: 'SECTOR_STATE', message: /nothing to pause/ })
})

test('a paused sector can be removed', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  cluster.script = (call) => {
    if (call === 'PC2') throw taskFailure('abort')
  }
  await api().PledgeSector()
  await until(1, 'SealPreCommit2Failed')
  await api().SectorRemove(1)
  const { State, Sealyard } = await api().SectorsStatus(1, false)
  t.deepEqual([State, Sealyard?.paused], ['Removed', null])
})
