import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Staging } from '../../src/pipeline/staging.ts'
import { unsealedCid } from '../../src/sectors/commitments.ts'
import { commitmentOf, pipelineAtHand, turns } from './pipeline-at-hand.ts'

const push = (Info: string) => ({ Type: 'push' as const, Info })
const cid = (data: Buffer, padded: number) => unsealedCid(commitmentOf(data, padded))['/']

test('pieces are laid out, committed to and added in their places, and the staged data goes', async (t) => {
  const { api, until, cluster, repo } = await pipelineAtHand(t)
  const [small, large] = [randomBytes(100), randomBytes(500)]
  cluster.offered.set('small', small).set('large', large)
  const added = await api().SectorAdd({
    pieces: [
      { dataBytes: 100, reader: push('small') },
      { dataBytes: 500, reader: push('large') },
    ],
  })
  t.deepEqual(added, {
    sector: { Miner: 1005, Number: 1 },
    pieces: [
      { offset: 0, size: 128, dataBytes: 100, commitment: cid(small, 128) },
      { offset: 512, size: 512, dataBytes: 500, commitment: cid(large, 512) },
    ],
  })
  const status = await until(1, 'Proving')
  t.deepEqual(cluster.calls.slice(0, 6), [
    'AP 0 127 file',
    'AP 127 127 zeroes',
    'AP 127+127 254 zeroes',
    'AP 127+127+254 508 file',
    'AP 127+127+254+508 1016 zeroes',
    'ticket',
  ])
  t.deepEqual(status.Sealyard?.pieces, [
    { size: 128, dataBytes: 100, commitment: cid(small, 128) },
    { size: 512, dataBytes: 500, commitment: cid(large, 512) },
  ])
  t.deepEqual(await readdir(join(repo, 'staging')), [])
})

test('unsealed data is kept when the sealer is told to, piece by piece; zeroes never', async (t) => {
  const { api, until, cluster } = await pipelineAtHand(t, { keepUnsealed: true })
  cluster.offered.set('small', randomBytes(100)).set('large', randomBytes(500))
  await api().SectorAdd({
    pieces: [
      { dataBytes: 100, reader: push('small') },
      { dataBytes: 500, reader: push('large') },
    ],
  })
  await until(1, 'Proving')
  t.true(cluster.calls.includes('FIN 0+128 512+512'))
  await api().PledgeSector()
  await until(2, 'Proving')
  t.is(cluster.calls.at(-1), 'FIN nothing')
})

test('pieces that do not fit are refused before anything is received', async (t) => {
  const { api, repo } = await pipelineAtHand(t)
  const pieces = [{ dataBytes: 2033, reader: push('nobody') }]
  await t.throwsAsync(api().SectorAdd({ pieces }), { code: 'PIECES_TOO_LARGE' })
  t.deepEqual(await readdir(join(repo, 'staging')), [])
  t.deepEqual(await api().SectorsList(), [])
})

test('a piece of another length than announced is refused and leaves nothing', async (t) => {
  const { api, cluster, repo } = await pipelineAtHand(t)
  cluster.offered.set('good', randomBytes(100)).set('short', randomBytes(99)).set('long', randomBytes(101))
  for (const [name, error] of [
    ['short', { code: 'PIECE_LENGTH', message: /100 bytes was announced, 99 bytes came/ }],
    ['long', { message: /too long/ }],
    ['absent', { message: /nobody pushes/ }],
  ] as const) {
    const pieces = [
      { dataBytes: 100, reader: push('good') },
      { dataBytes: 100, reader: push(name) },
    ]
    await t.throwsAsync(api().SectorAdd({ pieces }), error)
  }
  t.deepEqual(await readdir(join(repo, 'staging')), [])
  t.deepEqual(await api().SectorsList(), [])
})

test('a restart between two pieces adds the rest from the staged files', async (t) => {
  const { api, until, cluster, restart, repo } = await pipelineAtHand(t)
  cluster.offered.set('first', randomBytes(100)).set('second', randomBytes(127))
  cluster.script = (call, signal) =>
    call === 'AP 127 127 file'
      ? new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
      : undefined
  await api().SectorAdd({
    pieces: [
      { dataBytes: 100, reader: push('first') },
      { dataBytes: 127, reader: push('second') },
    ],
  })
  await turns(() => cluster.calls.includes('AP 127 127 file'))
  // What a sealer that died while it received a piece leaves.
  await mkdir(join(repo, 'staging', 'orphan'))
  await writeFile(join(repo, 'staging', 'orphan', 'piece-0'), 'half a piece')
  cluster.script = () => undefined
  await restart()
  t.false((await readdir(join(repo, 'staging'))).includes('orphan'))
  await until(1, 'Proving')
  t.deepEqual(cluster.calls.slice(0, 4), [
    'AP 0 127 file',
    'AP 127 127 file',
    'AP 127 127 file',
    'AP 127+127 254 zeroes',
  ])
  t.deepEqual(await readdir(join(repo, 'staging')), [])
})

test('data that changed between receiving and adding stops the sector before it is sealed', async (t) => {
  const { api, until, cluster, repo } = await pipelineAtHand(t)
  const data = randomBytes(100)
  cluster.offered.set('a', data)
  cluster.script = async () => {
    const [staged = ''] = await readdir(join(repo, 'staging'))
    await writeFile(join(repo, 'staging', staged, 'piece-0'), randomBytes(100))
  }
  await api().SectorAdd({ pieces: [{ dataBytes: 100, reader: push('a') }] })
  const status = await until(1, 'AddPieceFailed')
  t.regex(status.LastErr, new RegExp(`${cid(data, 128)} was promised`))
  t.false(cluster.calls.includes('ticket'))
})

test('pieces that would fill the filesystem of the state are refused before a byte is received', async (t) => {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-pipeline-'))
  t.teardown(() => rm(repo, { recursive: true }))
  const staging = await Staging.open(repo, new Set(), async () => 300 * 2 ** 20)
  await t.throwsAsync(staging.make(45 * 2 ** 20), { code: 'NO_SPACE', message: /has 300 MiB free/ })
  t.deepEqual(await readdir(join(repo, 'staging')), [])
  await staging.make(44 * 2 ** 20)
  t.is((await readdir(join(repo, 'staging'))).length, 1)
})
