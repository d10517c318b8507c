import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { command, type RunningNode } from '../../src/tour/daemons.ts'
import { ClusterAtHand } from './cluster-at-hand.ts'
import { typed } from './typed-command.ts'

/** What README names in its text, typed at daemons; what stands in its blocks is typed by readme.test.ts. */

const CONFIG = '[Chain]\nOfflineWait = "10ms"\n[Sealing]\nMinRetryTime = "1s"\n'
const SHAPE = `${CONFIG}[Proofs]\nExecutor = "shape"\n`
const WORKERS_SEAL = `${CONFIG}[Storage]
AllowAddPiece = false
AllowPreCommit1 = false
AllowPreCommit2 = false
AllowCommit = false
`

/** Polls until something is there. */
async function found<T>(look: () => Promise<T | null>, limitMs = 60_000): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const value = await look()
    if (value !== null) return value
    if (performance.now() > deadline) throw new Error(`nothing found in ${limitMs} ms by ${String(look)}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

test('a deferred C2: its input is written once, a wrong proof is refused, one that was made elsewhere is taken', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: ['w01'], config: WORKERS_SEAL })
  await cluster.sealerSays('sectors', 'pledge')
  const deferred = await cluster.untilState(1, 'Proving')
  t.is(deferred.CommitMsg, null)

  const input = join(cluster.directory, 'c2-input.json')
  t.regex(await cluster.sealerSays('sectors', 'commit2-input', '1', '--output', input), /Wrote \d+ bytes/)
  const kept = join(cluster.sealer.repo, 'commit1', 's-t01005-1.json')
  t.deepEqual(await readFile(input), await readFile(kept))
  const again = cluster.sealerSays('sectors', 'commit2-input', '1', '--output', input)
  await t.throwsAsync(again, { message: /EEXIST|exists/ }, 'a file that is there is not written over')

  const proof = join(cluster.directory, 'proof')
  await writeFile(proof, Buffer.alloc(191, 1))
  await t.throwsAsync(cluster.sealerSays('sectors', 'import-proof', '1', proof), {
    message: /191 bytes are no seal proof: it has 192 bytes for each partition/,
  })
  t.is((await cluster.untilState(1, 'Proving')).CommitMsg, null, 'what was refused changes nothing')
  // Nobody here has the verifying key, so that only the length can be said to fit; commit2.test.ts has the key.
  await writeFile(proof, Buffer.alloc(192, 1))
  t.regex(await cluster.sealerSays('sectors', 'import-proof', '1', proof), /Sector 1 has its proof/)
  const proven = await cluster.untilProven(1, 60_000)
  t.is(proven.Proof, Buffer.alloc(192, 1).toString('base64'))
  await t.throwsAsync(cluster.sealerSays('sectors', 'commit2', '1'), { message: /proof|C1/ })
})

/** Pledges until a call is caught while it runs, and stops the worker's process in the middle of it. */
async function stopInTheMiddle(cluster: ClusterAtHand, worker: RunningNode) {
  const api = await cluster.api()
  for (;;) {
    const { Number: number } = await api.PledgeSector()
    const running = async () => {
      const jobs = Object.values(await api.WorkerJobs()).flat()
      return jobs.find((job) => job.Sector.Number === number && job.Task.endsWith('/1')) ?? null
    }
    await found(running)
    worker.child.kill('SIGSTOP')
    // The call may just have ended.
    const job = await running()
    if (job !== null && job.RunWait === 0) return { number, id: job.ID.ID }
    worker.child.kill('SIGCONT')
    await cluster.untilState(number, 'Proving')
  }
}

test('what a silent worker has begun is given up by sealing abort, and the sector takes the step again', async (t) => {
  const cluster = await ClusterAtHand.start(t, {
    workers: ['w01'],
    sectorSize: '8MiB',
    config: WORKERS_SEAL,
  })
  const worker = cluster.worker('w01')
  t.teardown(() => worker.child.kill('SIGCONT'))
  const { number, id } = await stopInTheMiddle(cluster, worker)
  t.true((await cluster.sealerSays('sealing', 'jobs')).includes(id.slice(0, 8)))
  const given = id.slice(0, 8)
  t.is(await cluster.sealerSays('sealing', 'abort', given), `Aborted ${given}\n`)
  const api = await cluster.api()
  await found(async () => {
    const { Log } = await api.SectorsStatus(number, false)
    return Log.find((event) => /task aborted/.test(event.Message)) ?? null
  })
  worker.child.kill('SIGCONT')
  await cluster.untilState(number, 'Proving')
  await t.throwsAsync(cluster.sealerSays('sealing', 'abort', 'ffffffff'), { message: /no job's ID starts/ })
})

test('a worker that is set --enabled=false gets no work until it is set --enabled again', async (t) => {
  const cluster = await ClusterAtHand.start(t, {
    workers: ['w01'],
    config: `${SHAPE}${WORKERS_SEAL.slice(CONFIG.length)}`,
  })
  const worker = cluster.worker('w01')
  await command(worker, ['set', '--enabled=false'])
  const api = await cluster.api()
  await found(async () => (/\(disabled\)/.test(await cluster.sealerSays('sealing', 'workers')) ? true : null))
  await cluster.sealerSays('sectors', 'pledge')
  const said = await found(async () => {
    const text = await cluster.sealerSays('sealing', 'decisions', '--sector', '1')
    return /disabled/.test(text) ? text : null
  })
  t.regex(said, /AP/)
  t.not((await api.SectorsStatus(1, false)).State, 'Proving')
  await command(worker, ['set', '--enabled'])
  await cluster.untilState(1, 'Proving')
  t.notRegex(await cluster.sealerSays('sealing', 'workers'), /\(disabled\)/)
})

test('a token of auth create-token --perm read reads and may not write; stop ends each daemon with status 0', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: ['w01'], config: SHAPE })
  const token = (await cluster.sealerSays('auth', 'create-token', '--perm', 'read')).trim()
  const env = { SEALER_API_INFO: `${token}:/ip4/127.0.0.1/tcp/${cluster.sealer.port}/http` }
  const read = await typed({ program: 'sealer', args: ['sectors', 'list'], env })
  t.is(read.code, 0, read.stderr)
  const write = await typed({ program: 'sealer', args: ['sectors', 'pledge'], env })
  t.is(write.code, 1)
  t.regex(write.stderr, /permission.*auth api-info --perm admin/)
  t.notRegex(write.stderr, new RegExp(token))
  t.deepEqual(await (await cluster.api()).SectorsList(), [], 'nothing was pledged')
  const admin = (await cluster.sealerSays('auth', 'create-token', '--perm', 'admin')).trim()
  const may = { SEALER_API_INFO: `${admin}:/ip4/127.0.0.1/tcp/${cluster.sealer.port}/http` }
  t.is((await typed({ program: 'sealer', args: ['sectors', 'pledge'], env: may })).code, 0)

  for (const node of [cluster.worker('w01'), cluster.sealer]) {
    const ended = once(node.child, 'exit')
    await command(node, ['stop'])
    t.deepEqual(await ended, [0, null], node.name)
  }
})
