import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ClusterAtHand } from './cluster-at-hand.ts'
import { isRefused, metafile, place, type Refusal, stateOf, tokenWith } from './refusal.ts'
import { type Typed, typed } from './typed-command.ts'

/** Everything about storage paths. */
async function pathRefusals(cluster: ClusterAtHand): Promise<Refusal[]> {
  const { directory, sealer } = cluster
  const attach = (path: string, ...flags: string[]): Typed => ({
    program: 'sealer',
    args: ['--repo', sealer.repo, 'storage', 'attach', ...flags, path],
  })
  const storage = (...args: string[]): Typed => ({
    program: 'sealer',
    args: ['--repo', sealer.repo, 'storage', ...args],
  })
  const made = (name: string, text: string) => place(join(directory, name), { 'sectorstore.json': text })
  await place(directory, { 'a-file': 'not a directory' })
  await symlink(join(directory, 'store'), join(directory, 'store-by-another-name'))
  const nowhere = join(directory, 'nowhere')
  return [
    {
      name: 'an unknown path',
      typed: attach(nowhere),
      line: /nowhere\/sectorstore\.json does not exist: is the disk mounted\?.*--init/,
    },
    {
      name: 'an unknown path to detach',
      typed: storage('detach', '--really-do-it', nowhere),
      line: /is not attached here; attached are: .*\/store/,
    },
    {
      name: 'an unknown path to redeclare',
      typed: storage('redeclare', nowhere),
      line: /is not attached here; attached are: .*\/store/,
    },
    {
      name: 'an unknown ID to redeclare',
      typed: storage('redeclare', '--id', 'abc'),
      line: /storage path abc is not attached to this node/,
    },
    {
      name: 'a path that is attached here',
      typed: attach(join(directory, 'store')),
      line: /\/store is attached to this node already/,
    },
    {
      name: 'one under another name',
      typed: attach(join(directory, 'store-by-another-name')),
      line: /is attached to this node already/,
    },
    {
      name: 'one that is made again',
      typed: attach(join(directory, 'store'), '--init', '--store'),
      line: /is a storage path already: attach it without --init/,
    },
    { name: 'a file', typed: attach(join(directory, 'a-file')), line: /a-file is not a directory/ },
    {
      name: 'a file to make a path of',
      typed: attach(join(directory, 'a-file'), '--init', '--store'),
      line: /a-file is not a directory/,
    },
    {
      name: 'a path below a file',
      typed: attach(join(directory, 'a-file', 'below'), '--init', '--store'),
      line: /lies below something that is not a directory/,
    },
    {
      name: 'a path for nothing',
      typed: attach(join(directory, 'useless'), '--init'),
      line: /give --seal, --store or both/,
    },
    {
      name: 'a size that is none',
      typed: attach(join(directory, 'sized'), '--init', '--store', '--max-storage', 'lots'),
      line: /lots/,
    },
    {
      name: 'flags without --init',
      typed: attach(join(directory, 'store'), '--seal'),
      code: 2,
      line: /go with --init/,
    },
    {
      name: 'detaching without saying so',
      typed: storage('detach', join(directory, 'store')),
      code: 2,
      line: /pass --really-do-it to confirm/,
    },
    {
      name: 'wrong JSON in sectorstore.json',
      typed: attach(await made('not-json', '{"ID": ')),
      line: /not-json\/sectorstore\.json cannot be used: .*; correct it, or restore it from a backup/,
    },
    {
      name: 'a wrong type in sectorstore.json',
      typed: attach(await made('wrong-type', metafile({ CanSeal: 'yes' }))),
      line: /sectorstore\.json cannot be used: CanSeal: .*boolean/,
    },
    {
      name: 'no ID in sectorstore.json',
      typed: attach(await made('no-id', metafile({ ID: '' }))),
      line: /sectorstore\.json cannot be used: ID: /,
    },
  ]
}

const nowSeconds = () => Math.floor(Date.now() / 1000)

/** Everything about who may. */
async function tokenRefusals(cluster: ClusterAtHand): Promise<Refusal[]> {
  const { repo, port } = cluster.sealer
  const worker = cluster.worker('w01')
  const ask = (token: string, ...args: string[]): Typed => ({
    program: 'sealer',
    args,
    env: { SEALER_API_INFO: `${token === '' ? '' : `${token}:`}/ip4/127.0.0.1/tcp/${port}/http` },
  })
  const askWorker = (token: string): Typed => ({
    program: 'worker',
    args: ['storage', 'detach', '--really-do-it', '/x'],
    env: { WORKER_API_INFO: `${token}:/ip4/127.0.0.1/tcp/${worker.port}/http` },
  })
  const expired = await tokenWith(repo, { exp: nowSeconds() - 3600 })
  const future = await tokenWith(repo, { nbf: nowSeconds() + 86_400 })
  const made = await tokenWith(repo, { iat: nowSeconds() + 86_400 })
  const reader = await tokenWith(repo, { Allow: ['read'] })
  const path = join(cluster.directory, 'by-a-reader')
  const attach = ['storage', 'attach', '--init', '--store', path]
  return [
    {
      name: 'no token',
      typed: ask('', 'info'),
      line: /missing permission to invoke '\w+' \(need 'read'\); use a token that has it/,
    },
    {
      name: 'a wrong token',
      typed: ask('a.b.c', 'info'),
      line: /refused the token \(HTTP 401\): it is not one of this cluster's; 'sealyard-sealer auth api-info/,
    },
    {
      name: 'an expired token',
      typed: ask(expired, 'info'),
      line: /the token expired at .*Z, it is .*Z here; make a new one/,
    },
    {
      name: 'an expired token for a worker',
      typed: askWorker(expired),
      line: /the token expired at .*; make a new one/,
    },
    {
      name: 'a token of a clock ahead',
      typed: ask(future, 'info'),
      line: /the token is valid from .*Z, it is .*Z here; one of the two clocks is wrong/,
    },
    { name: 'a token made in the future', typed: ask(made, 'info'), line: /one of the two clocks is wrong/ },
    {
      name: 'a token without the permission',
      typed: ask(reader, ...attach),
      line: /missing permission to invoke 'StorageLocal' \(need 'admin'\); use a token that has it/,
    },
    { name: 'a wrong token for a new path', typed: ask('a.b.c', ...attach), line: /refused the token/ },
    {
      name: 'something that is no address',
      typed: { program: 'sealer', args: ['info'], env: { SEALER_API_INFO: 'secret:elsewhere' } },
      line: /SEALER_API_INFO is not TOKEN:MULTIADDR/,
    },
    {
      name: 'a permission that does not exist',
      typed: { program: 'sealer', args: ['--repo', repo, 'auth', 'create-token', '--perm', 'root'] },
      code: 2,
      line: /--perm takes one of read, write, sign, admin, not 'root'/,
    },
  ]
}

test('a bad path, a bad token, a bad piece: one line, a status, and nothing changed', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: ['w01'] })
  const { repo } = cluster.sealer
  await place(cluster.directory, { 'big-piece': 'x'.repeat(5000), 'no-piece': '' })
  const sectors = (...args: string[]): Typed => ({
    program: 'sealer',
    args: ['--repo', repo, 'sectors', ...args],
  })
  const piece = (name: string) => sectors('add', '--piece', join(cluster.directory, name))
  const all: Refusal[] = [
    ...(await pathRefusals(cluster)),
    ...(await tokenRefusals(cluster)),
    {
      name: 'a piece larger than the sector',
      typed: piece('big-piece'),
      line: /these pieces need 8192 bytes padded, a sector has 2048 \(2032 of data\); put them in several/,
    },
    {
      name: 'an empty piece',
      typed: piece('no-piece'),
      code: 2,
      line: /is empty: a piece needs at least one byte/,
    },
    {
      name: 'a piece that is not there',
      typed: piece('lost-piece'),
      code: 2,
      line: /there is no file .*lost-piece/,
    },
    { name: 'a sector that is not there', typed: sectors('status', '77'), line: /sector 77|s-t01005-77/ },
    ...['retry', 'pause', 'resume'].map((verb) => ({
      name: `a sector to ${verb} that is not there`,
      typed: sectors(verb, '77'),
      line: /there is no sector 77; 'sectors list' shows those there are/,
    })),
    {
      name: 'a sector that is no number',
      typed: sectors('status', 'seven'),
      code: 2,
      line: /'seven' is not a sector number/,
    },
    {
      name: 'decisions about a sector that is not there',
      typed: { program: 'sealer', args: ['--repo', repo, 'sealing', 'decisions', '--sector', '9999'] },
      line: /there is no sector 9999; 'sectors list' shows those there are/,
    },
    {
      name: 'a level for a subsystem that is not there',
      typed: { program: 'sealer', args: ['--repo', repo, 'log', 'set-level', 'debug', '--system', 'nope'] },
      line: /there is no subsystem 'nope'; there are advmgr, .*stores/,
    },
    {
      name: 'an unknown command',
      typed: { program: 'sealer', args: ['--repo', repo, 'storag'] },
      code: 2,
      line: /unknown command 'storag'/,
    },
  ]
  const before = await stateOf(cluster)
  for (const refusal of all) {
    const ended = await typed(refusal.typed)
    isRefused(t, refusal, ended)
  }
  t.deepEqual(await stateOf(cluster), before)
  t.log(`${all.length} refusals of a running cluster`)
})

test('a sector is removed once, and a command that finds nothing says so', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  t.regex(await cluster.sealerSays('sealing', 'decisions'), /^Nothing has been decided yet: /)
  await cluster.sealerSays('sectors', 'pledge')
  const remove = () => cluster.sealerSays('sectors', 'remove', '--really-do-it', '1')
  t.is(await remove(), 'Sector 1 is removed\n')
  t.is(await remove(), 'Sector 1 was removed before: there is nothing to do\n')
  t.regex(
    await cluster.sealerSays('sealing', 'decisions', '--sector', '1'),
    /^No decision about sector 1 \(it is in Removed\) is kept: |^\d{4}-.* sector 1 /,
  )
})
