import { randomBytes } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { sealProof } from '../../src/sectors/proof-types.ts'
import { ClusterAtHand, MINER } from './cluster-at-hand.ts'

const MIB = 2 ** 20
/** More than half a sector, so that the piece takes all of it. */
const PIECE_BYTES = 5 * MIB + 12_345

const CONFIG = `
[Storage]
AllowAddPiece = false
AllowPreCommit1 = false
AllowPreCommit2 = false
AllowCommit = false

[Sealing]
AlwaysKeepUnsealedCopy = false
`

test('an 8 MiB sector of real data is sealed through C1, finalized, served from both nodes and unsealed', async (t) => {
  t.timeout(300_000)
  const cluster = await ClusterAtHand.start(t, { sectorSize: '8MiB', workers: ['w01'], config: CONFIG })
  const piece = randomBytes(PIECE_BYTES)
  const pieceFile = join(cluster.directory, 'piece.bin')
  await writeFile(pieceFile, piece)
  const added = JSON.parse(await cluster.sealerSays('sectors', 'add', '--piece', pieceFile, '--json')) as {
    sector: { Number: number }
  }
  const { Number: number } = added.sector
  const status = await cluster.untilState(number, 'Proving', 280_000)
  t.regex(status.Sealyard?.commit2 ?? '', /deferred/)

  const name = `s-t0${MINER}-${number}`
  const sealed = await readFile(join(cluster.directory, 'store', 'sealed', name))
  t.is(sealed.length, sealProof(6).sectorSize)
  await t.throwsAsync(stat(join(cluster.directory, 'seal-w01', 'cache', name)), { code: 'ENOENT' })

  const token = await cluster.token()
  for (const { url } of [cluster.sealer, cluster.worker('w01')]) {
    const part = await fetch(`${url}/remote/sealed/${name}`, {
      headers: { authorization: `Bearer ${token}`, range: 'bytes=4194301-6291455' },
    })
    t.is(part.status, 206)
    t.deepEqual(Buffer.from(await part.arrayBuffer()), sealed.subarray(4_194_301, 6_291_456))
    const cache = await fetch(`${url}/remote/cache/${name}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const archive = await cache.arrayBuffer()
    t.is(cache.headers.get('content-type'), 'application/x-tar')
    t.is(lengthOf(cache.headers.get('content-length')), archive.byteLength)
  }

  await cluster.sealerSays('sectors', 'unseal', String(number))
  const output = join(cluster.directory, 'piece.out')
  await cluster.sealerSays('sectors', 'extract-piece', String(number), output)
  t.true((await readFile(output)).equals(piece), 'the unsealed data equals the piece')
  const api = await cluster.api()
  t.deepEqual(await api.SpaceReservations(), [])
})

function lengthOf(text: string | null): number {
  return text === null ? Number.NaN : Number(text)
}
