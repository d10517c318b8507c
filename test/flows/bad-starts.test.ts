import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../../src/tour/host-facts.ts'
import { ClusterAtHand } from './cluster-at-hand.ts'
import { lotusMiner, rpcNode, silentPort, tlsPort, webServer } from './other-sides.ts'
import { isRefused, type Refusal, stateOf, tokenWith } from './refusal.ts'
import { type Typed, typed } from './typed-command.ts'

test('what a daemon cannot start with is refused in one line, and its repo stays as it was', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const { repo, port, child } = cluster.sealer
  const init = (name: string): Typed => ({
    program: 'sealer',
    args: ['--repo', join(cluster.directory, name), 'init', '--actor', 'f01006', '--sector-size', '2KiB'],
  })
  const refusals = [
    ...(await sealerStarts(cluster, async (name) => {
      t.is((await typed(init(name))).code, 0)
    })),
    {
      name: 'a repo in use',
      typed: starting(repo),
      line: new RegExp(`in use by process ${child.pid} on .*; stop it first`),
    },
    ...(await workerStarts(t, cluster)),
  ]
  const before = await stateOf(cluster)
  for (const refusal of refusals) isRefused(t, refusal, await typed(refusal.typed))
  t.deepEqual(withoutBooks(await stateOf(cluster)), withoutBooks(before))
  t.log(`${refusals.length} refusals of a daemon that starts; the sealer beside them listens on ${port}`)
})

test('a worker of another version is not taken in; it and the sealer’s log hear which of the two is older', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const api = await cluster.api()
  const before = await stateOf(cluster)
  for (const [version, line] of [
    [0x010500, /the worker speaks worker API 1\.5, this sealer speaks 1\.7 and 1\.6: upgrade the worker/],
    [0x020000, /the worker speaks worker API 2\.0, this sealer speaks 1\.7 and 1\.6: upgrade the sealer/],
  ] as const) {
    const offered = await rpcNode(t, new Map([['Filecoin.Version', () => version]]))
    const url = `http://127.0.0.1:${offered.split('/')[4]}/rpc/v0`
    await t.throwsAsync(api.WorkerConnect(url), { code: 'WORKER_VERSION', message: line })
    const log = await readFile(cluster.sealer.log, 'utf8')
    const told = log.split('\n').find((each) => each.includes('was not taken in') && each.includes(url))
    t.regex(told ?? '', line)
  }
  t.deepEqual(await stateOf(cluster), before)
})

const starting = (repo: string, ...flags: string[]): Typed => ({
  program: 'sealer',
  args: ['--repo', repo, 'run', '--listen', '127.0.0.1:0', ...flags],
})

/** A start that fails late has made its own books, and a worker's its repo; nothing of the operator's is touched. */
function withoutBooks(state: unknown): unknown {
  const { files, ...rest } = state as { files: string[] }
  return {
    ...rest,
    files: files.filter((file) => !/\/(token|staging|commit1|keystore|no-worker)( |\/)/.test(file)),
  }
}

async function sealerStarts(
  cluster: ClusterAtHand,
  init: (name: string) => Promise<void>,
): Promise<Refusal[]> {
  const { directory, sealer } = cluster
  const withFile = async (name: string, file: string, text: string) => {
    await init(name)
    await writeFile(join(directory, name, file), text)
    return starting(join(directory, name))
  }
  await init('plain')
  const plain = join(directory, 'plain')
  return [
    {
      name: 'no repo',
      typed: starting(join(directory, 'no-repo')),
      line: /is no sealer repo yet; make it with 'sealyard-sealer init/,
    },
    {
      name: 'every address to listen on, and none to tell others',
      typed: starting(plain, '--listen', '0.0.0.0:0'),
      line: /workers have to be told one: set API\.RemoteListenAddress to the host:port/,
    },
    {
      name: 'an unsupported sector size',
      typed: {
        program: 'sealer',
        args: ['--repo', join(directory, 'one'), 'init', '--actor', 'f01005', '--sector-size', '1GiB'],
      },
      line: /a sector size of 1073741824 bytes does not exist; choose 2KiB, 8MiB/,
    },
    {
      name: 'wrong JSON in storage.json',
      typed: await withFile('bad-list', 'storage.json', '{"StoragePaths":'),
      line: /storage\.json is not a list of storage paths: correct it, it should read \{"StoragePaths"/,
    },
    {
      name: 'a wrong type in storage.json',
      typed: await withFile('bad-type', 'storage.json', '{"StoragePaths":"/mnt/a"}'),
      line: /storage\.json is not a list of storage paths/,
    },
    {
      name: 'a key that is missing in miner.json',
      typed: await withFile('no-size', 'miner.json', '{"Miner":1006}'),
      line: /miner\.json is not what 'sealyard-sealer init' wrote: 'SectorSize' is missing or is no whole number; it should read like \{"Miner":1005,"SectorSize":\d+\}$/,
    },
    {
      name: 'miner.json that is no JSON',
      typed: await withFile('no-miner', 'miner.json', '{"Miner":'),
      line: /miner\.json is not what 'sealyard-sealer init' wrote: it is no JSON object; it should read/,
    },
    {
      name: 'a wrong type in config.toml',
      typed: await withFile('bad-value', 'config.toml', '[Storage]\nParallelFetchLimit = "many"\n'),
      line: /Storage\.ParallelFetchLimit.*many.*whole number/,
    },
    {
      name: 'config.toml that is no TOML',
      typed: await withFile('no-toml', 'config.toml', '[Storage\n'),
      line: /config\.toml/,
    },
    {
      name: 'an unknown key in config.toml',
      typed: await withFile('bad-key', 'config.toml', '[Storage]\nParalelFetchLimit = 3\n'),
      line: /has no key 'ParalelFetchLimit'; did you mean 'ParallelFetchLimit'\?/,
    },
    {
      name: 'an unknown section in config.toml',
      typed: await withFile('bad-section', 'config.toml', '[Storrage]\nX = 3\n'),
      line: /Storrage.*did you mean.*Storage/,
    },
    {
      name: 'an unknown variable',
      typed: { ...starting(plain), env: { SEALYARD_STORAGE_PARALLELFETCHLIMIT: 'many' } },
      line: /SEALYARD_STORAGE_PARALLELFETCHLIMIT.*many/,
    },
    {
      name: 'a port that is taken',
      typed: { program: 'sealer', args: ['--repo', plain, 'run', '--listen', `127.0.0.1:${sealer.port}`] },
      line: new RegExp(`port ${sealer.port} .*is in use by process ${sealer.child.pid} \\(.+\\): stop the`),
    },
    {
      name: 'an address of another machine',
      typed: { program: 'sealer', args: ['--repo', plain, 'run', '--listen', '192.0.2.1:4000'] },
      line: /192\.0\.2\.1/,
    },
    {
      name: 'few open files',
      typed: { ...starting(plain), openFiles: 1000 },
      line: /may have 1000 files open, a daemon needs at least 4096; raise the limit with 'ulimit -Hn 100000', or LimitNOFILE=100000/,
    },
  ]
}

async function workerStarts(t: ExecutionContext<unknown>, cluster: ClusterAtHand): Promise<Refusal[]> {
  const { directory, sealer } = cluster
  const token = await cluster.token()
  const reader = await tokenWith(sealer.repo, { Allow: ['read'] })
  const worker = (name: string, info: string): Typed => ({
    program: 'worker',
    args: [
      '--repo',
      join(directory, 'no-worker', name),
      'run',
      '--listen',
      '127.0.0.1:0',
      '--no-local-storage',
    ],
    env: { SEALER_API_INFO: info },
  })
  const here = `/ip4/127.0.0.1/tcp/${sealer.port}/http`
  const ask = (info: string, env: Record<string, string> = {}): Typed => ({
    program: 'sealer',
    args: ['info'],
    env: { SEALER_API_INFO: info, ...env },
  })
  return [
    { name: 'no sealer to work for', typed: worker('none', ''), line: /SEALER_API_INFO is not set/ },
    {
      name: 'a sealer of another version',
      typed: worker('old', `${token}:${await lotusMiner(t, 0x010400)}`),
      line: /the sealer \(1\.13\.0\+mainnet\) speaks miner API 1\.4\.0, this worker 1\.5\.0; upgrade the sealer/,
    },
    {
      name: 'a sealer of a newer version',
      typed: worker('new', `${token}:${await lotusMiner(t, 0x010600)}`),
      line: /speaks miner API 1\.6\.0, this worker 1\.5\.0; upgrade the worker/,
    },
    {
      name: 'a web server as the sealer',
      typed: worker('web', `${token}:${await webServer(t)}`),
      line: /does not speak JSON-RPC \(HTTP 404\); is it the address of a node/,
    },
    {
      name: 'a web server to ask',
      typed: ask(`${token}:${await webServer(t)}`),
      line: /does not speak JSON-RPC \(HTTP 404\); is it the address of a node/,
    },
    {
      name: 'a web server that answers everything',
      typed: ask(`${token}:${await webServer(t, 200)}`),
      line: /does not speak JSON-RPC \(HTTP 200\); is it the address of a node/,
    },
    {
      name: 'a port that says nothing',
      typed: { ...ask(`${token}:${await silentPort(t)}`, { SEALYARD_API_TIMEOUT: '300ms' }) },
      line: /127\.0\.0\.1:\d+ did not answer within 0\.3 s; does the node run there/,
    },
    {
      name: 'a TLS port',
      typed: ask(`${token}:${await tlsPort(t)}`),
      line: /it closed the connection without a word \(socket hang up; a TLS port is addressed with \/https\); does the node run/,
    },
    {
      name: 'a port where nobody listens',
      typed: ask(`${token}:/ip4/127.0.0.1/tcp/${await freePort(0)}/http`),
      line: /: no sealer runs at http:\/\/127\.0\.0\.1:\d+ \(the connection is refused\); start it with/,
    },
    {
      name: 'a worker with a wrong token',
      typed: worker('stranger', `a.b.c:${here}`),
      line: /refused the token \(HTTP 401\)/,
    },
    {
      name: 'a worker with a weak token',
      typed: worker('reader', `${reader}:${here}`),
      line: /missing permission to invoke '\w+' \(need 'admin'\); use a token that has it/,
    },
    {
      name: 'a worker that is another program',
      typed: { program: 'sealer', args: ['--repo', join(directory, 'nobody'), 'info'] },
      line: /no sealer runs from .*nobody/,
    },
  ]
}
