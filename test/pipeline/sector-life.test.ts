import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { COMMIT1, PROOF, pipelineAtHand, statesOf, turns } from './pipeline-at-hand.ts'

const PLEDGED = [
  'AP 0 2032 zeroes',
  'ticket',
  'PC1',
  'PC2',
  'submitPreCommit',
  'preCommitLanded',
  'seed',
  'C1',
]
const COMMITTED = [`C2 ${COMMIT1.toString()}`, 'submitCommit', 'commitLanded']

test('a pledged sector goes through the states in order and says so in its log', async (t) => {
  const { api, until, cluster, repo } = await pipelineAtHand(t)
  t.deepEqual(await api().PledgeSector(), { Miner: 1005, Number: 1 })
  const status = await until(1, 'Proving')
  t.deepEqual(cluster.calls, [...PLEDGED, ...COMMITTED, 'FIN nothing'])
  t.deepEqual(statesOf(status), [
    'Packing',
    'GetTicket',
    'PreCommit1',
    'PreCommit2',
    'PreCommitting',
    'PreCommitWait',
    'WaitSeed',
    'Committing',
    'SubmitCommit',
    'CommitWait',
    'FinalizeSector',
    'Proving',
  ])
  t.deepEqual(
    status.Log.map((event) => event.Kind),
    ['state', 'AP', 'chain', 'PC1', 'PC2', 'chain', 'chain', 'chain', 'C1', 'C2', 'chain', 'chain', 'FIN'],
  )
  t.is(status.Proof, PROOF.toString('base64'))
  t.true(status.Sealyard?.offline)
  t.is(status.Sealyard?.commit2, null)
  t.deepEqual(status.Sealyard?.pieces, [], 'zeroes are no piece that somebody brought')
  t.is(Buffer.from(status.Ticket.Value ?? '', 'base64').length, 32)
  t.true(status.Log.some((event) => event.Message.includes('offline: made up locally')))
  t.is(status.Sealyard?.commit2Input, null)
  t.deepEqual(await readdir(join(repo, 'commit1')), [], "C1's output goes when its proof has landed")
})

test('sectors are numbered one after the other, above those that storage paths hold, and counted by state', async (t) => {
  const held = [
    { Miner: 1005, Number: 41, SectorFileType: 2 },
    { Miner: 9, Number: 99, SectorFileType: 2 },
  ]
  const told: [string, unknown][] = []
  const { api, until } = await pipelineAtHand(t, {
    index: { StorageFindSector: async () => [], StorageList: async () => ({ path: held }) },
    log: { ...silentLogger, info: (message, fields) => void told.push([message, fields?.sector]) },
  })
  t.is((await api().PledgeSector()).Number, 42)
  held.push({ Miner: 1005, Number: 42, SectorFileType: 2 })
  t.is((await api().PledgeSector()).Number, 43)
  t.deepEqual(
    told.map(([message, sector]) => [/^numbers up to (\d+) are left out/.exec(message)?.[1], sector]),
    [['41', 's-t01005-42']],
    'only a number that is not the next one is explained',
  )
  await until(42, 'Proving')
  await until(43, 'Proving')
  t.deepEqual(await api().SectorsList(), [42, 43])
  t.deepEqual(await api().SectorsSummary(), { Proving: 2 })
  await t.throwsAsync(api().SectorsStatus(7, false), { message: /there is no sector 7/ })
})

test('the list of all sectors says of each what its status says, but for proof and log', async (t) => {
  const { api, until } = await pipelineAtHand(t)
  await api().PledgeSector()
  const { Proof, Log, Sealyard, ...fields } = await until(1, 'Proving')
  const [line, ...others] = await api().SectorLines()
  t.deepEqual(others, [])
  const { logTimes, ...extras } = Sealyard!
  t.truthy(Proof)
  t.deepEqual(line, {
    ...fields,
    Events: Log.length,
    FirstEventAt: logTimes[0]!,
    ProvingAt: logTimes[Log.findIndex(({ Message }) => Message.endsWith(' → Proving'))]!,
    Sealyard: extras,
  })
})

test('without anybody who runs C2 the sector is stored and says that its proof is missing', async (t) => {
  const { api, until, cluster, repo } = await pipelineAtHand(t)
  cluster.commit2 = false
  await api().PledgeSector()
  const status = await until(1, 'Proving')
  t.deepEqual(cluster.calls, [...PLEDGED, 'FIN nothing'])
  t.is(status.Proof, null)
  t.is(status.CommitMsg, null)
  t.regex(status.Sealyard?.commit2 ?? '', /deferred, the proof is still missing.*sectors commit2 1/)
  const kept = join(repo, 'commit1', 's-t01005-1.json')
  t.is(status.Sealyard?.commit2Input, kept)
  t.deepEqual(await readFile(kept), COMMIT1)
  t.is(await api().Commit2Input(1), COMMIT1.toString('base64'))
})

test("with the executor 'shape' nothing is proven, the files are stored all the same, and it is said plainly", async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t, {}, 'shape')
  await api().PledgeSector()
  const status = await until(1, 'Proving')
  t.deepEqual(cluster.calls, [...PLEDGED.slice(0, -1), 'FIN nothing'])
  t.regex(status.Sealyard?.commit2 ?? '', /seals nothing/)
  await t.throwsAsync(api().Commit2(1), { code: 'NO_COMMIT1' })
  await t.throwsAsync(api().ImportProof(1, PROOF.toString('base64')), { code: 'NO_COMMIT1' })
})

test('a deferred C2 is taken up from the kept file, submitted, and nothing is finalized twice', async (t) => {
  const { api, until, cluster, repo } = await pipelineAtHand(t)
  cluster.commit2 = false
  await api().PledgeSector()
  await until(1, 'Proving')
  await t.throwsAsync(api().Commit2(1), { code: 'NO_PARAMETERS', message: /no connected worker can run C2/ })
  cluster.commit2 = true
  await api().Commit2(1)
  const status = await until(1, 'Proving')
  t.deepEqual(cluster.calls, [...PLEDGED, 'FIN nothing', ...COMMITTED])
  t.not(status.CommitMsg, null)
  t.is(status.Sealyard?.commit2, null)
  t.false(existsSync(join(repo, 'commit1', 's-t01005-1.json')))
  await t.throwsAsync(api().Commit2(1), { code: 'PROOF_HERE' })
  await t.throwsAsync(api().Commit2Input(1), { code: 'NO_COMMIT1', message: /was submitted/ })
})

test('C2 taken up and impossible again leaves the sector where it was', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  cluster.commit2 = false
  await api().PledgeSector()
  await until(1, 'Proving')
  cluster.commit2 = true
  cluster.script = (call) => {
    cluster.commit2 = false
    if (call.startsWith('C2')) throw new Error('the parameters are damaged')
  }
  await api().Commit2(1)
  const status = await until(1, 'ComputeProofFailed')
  t.regex(status.LastErr, /the parameters are damaged/)
})

test('a proof made elsewhere is verified, taken and submitted', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  cluster.commit2 = false
  await api().PledgeSector()
  await until(1, 'Proving')
  const wrong = Buffer.alloc(192, 1).toString('base64')
  await t.throwsAsync(api().ImportProof(1, wrong), { code: 'PROOF_INVALID', message: /not valid/ })
  await t.throwsAsync(api().ImportProof(1, 'AAAA'), { code: 'PROOF_INVALID', message: /3 bytes/ })
  t.is((await api().SectorsStatus(1, false)).Proof, null)
  t.deepEqual(await api().ImportProof(1, PROOF.toString('base64')), { verified: true })
  const status = await until(1, 'Proving')
  t.deepEqual(cluster.calls.slice(-2), ['submitCommit', 'commitLanded'])
  t.true(status.Log.some((event) => event.Message.includes('imported, verified')))
  await t.throwsAsync(api().ImportProof(1, PROOF.toString('base64')), { code: 'PROOF_HERE' })
})

test('a proof is taken unverified without the verifying key, and the log says so', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  cluster.commit2 = false
  cluster.verifyingKey = false
  await api().PledgeSector()
  await until(1, 'Proving')
  const proof = Buffer.alloc(192, 1).toString('base64')
  t.deepEqual(await api().ImportProof(1, proof), { verified: false })
  const status = await until(1, 'Proving')
  t.is(status.Proof, proof)
  t.true(status.Log.some((event) => event.Message.includes('not verified: the verifying key is not here')))
})

test('a proof imported while C2 runs takes its place', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  cluster.script = (call, signal) => (call.startsWith('C2') ? untilStopped(signal) : undefined)
  await api().PledgeSector()
  await until(1, 'Committing')
  await turns(() => cluster.calls.some((call) => call.startsWith('C2')))
  await api().ImportProof(1, PROOF.toString('base64'))
  await until(1, 'Proving')
  t.is(cluster.calls.filter((call) => call.startsWith('C2')).length, 1)
  t.is(cluster.calls.filter((call) => call === 'submitCommit').length, 1)
})

test('a proof imported while the sector is finalized is submitted afterwards', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  cluster.commit2 = false
  let finish: () => void = () => undefined
  cluster.script = (call) =>
    call.startsWith('FIN') ? new Promise<void>((resolve) => (finish = resolve)) : undefined
  await api().PledgeSector()
  await until(1, 'FinalizeSector')
  await api().ImportProof(1, PROOF.toString('base64'))
  await turns(() => cluster.calls.includes('FIN nothing'))
  finish()
  await until(1, 'Proving')
  t.deepEqual(cluster.calls.slice(-3), ['FIN nothing', 'submitCommit', 'commitLanded'])
})

test('a proof is refused before C1 is made, and C2 is not taken up then', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  cluster.script = (call, signal) => (call === 'PC1' ? untilStopped(signal) : undefined)
  await api().PledgeSector()
  await until(1, 'PreCommit1')
  await t.throwsAsync(api().ImportProof(1, PROOF.toString('base64')), { code: 'SECTOR_STATE' })
  await t.throwsAsync(api().Commit2(1), { code: 'SECTOR_STATE' })
  await t.throwsAsync(api().Commit2Input(1), { code: 'NO_COMMIT1' })
  await t.throwsAsync(api().SectorUnseal(1), { code: 'SECTOR_STATE' })
})

function untilStopped(signal?: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

test('unsealing asks for the whole sector by its ticket and comm_d and is logged', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t)
  await api().PledgeSector()
  const { CommD } = await until(1, 'Proving')
  await api().SectorUnseal(1)
  t.is(cluster.calls.at(-1), `UNS ${CommD?.['/']}`)
  const status = await api().SectorsStatus(1, false)
  t.is(status.State, 'Proving')
  t.is(status.Log.at(-1)?.Kind, 'UNS')
})

test('a sector is removed from the middle of its work, with what the sealer kept for it', async (t) => {
  const { api, until, cluster, repo } = await pipelineAtHand(t)
  cluster.commit2 = false
  cluster.script = (call, signal) => (call.startsWith('FIN') ? untilStopped(signal) : undefined)
  await api().PledgeSector()
  await until(1, 'FinalizeSector')
  await api().SectorRemove(1)
  const status = await until(1, 'Removed')
  t.is(cluster.calls.at(-1), 'remove')
  t.is(status.Sealyard?.commit2Input, null)
  t.deepEqual(await readdir(join(repo, 'commit1')), [])
  await api().SectorRemove(1)
  t.is(cluster.calls.filter((call) => call === 'remove').length, 1, 'a removed sector is not removed again')
  t.is((await api().PledgeSector()).Number, 2, 'its number is never given again')
})

test('a removal that leaves files says which, and goes on by itself', async (t) => {
  const { api, until, cluster, retry } = await pipelineAtHand(t)
  await api().PledgeSector()
  await until(1, 'Proving')
  cluster.script = () => {
    throw new Error('the sealed file stays on worker w04')
  }
  await t.throwsAsync(api().SectorRemove(1), { code: 'REMOVE_FAILED', message: /stays on worker w04/ })
  t.is((await api().SectorsStatus(1, false)).State, 'RemoveFailed')
  cluster.script = () => undefined
  await retry()
  await until(1, 'Removed')
})

test('a closed pipeline takes no calls, in words', async (t) => {
  const { api, pipeline } = await pipelineAtHand(t)
  await pipeline().close(1000)
  await t.throwsAsync(api().PledgeSector(), { code: 'STOPPED', message: /the sealer is stopping/ })
})

test('a deferred C2 is taken up by itself when a worker comes that can, also after a restart', async (t) => {
  const { api, until, cluster, clock, restart } = await pipelineAtHand(t)
  cluster.commit2 = false
  for (const number of [1, 2]) {
    await api().PledgeSector()
    await until(number, 'Proving')
  }
  await clock.advance(600_000)
  await turns(() => clock.sleeping > 0)
  t.is((await api().SectorsStatus(1, false)).State, 'Proving', 'nobody has come')
  await restart()
  await turns(() => clock.sleeping > 0)
  cluster.commit2 = true
  await clock.advance(300_000)
  for (const number of [1, 2]) {
    await turns(async () => (await api().SectorsStatus(number, false)).Proof !== null)
    const status = await until(number, 'Proving')
    t.not(status.CommitMsg, null)
    t.is(status.Sealyard?.commit2, null)
  }
  await clock.advance(300_000)
  await turns(() => clock.sleeping === 0)
  t.pass('nobody is looked for any more')
})
