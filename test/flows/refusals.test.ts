import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ClusterAtHand } from './cluster-at-hand.ts'
import { scratch, type Typed, typed, words } from './typed-command.ts'

/** As a shell would. */
const run = (program: Typed['program'], args: readonly string[], env: Record<string, string> = {}) =>
  typed({ program, args, env })

test('what cannot be done is refused in one line, with its status, and changes nothing', async (t) => {
  const directory = await scratch(t)
  const repo = join(directory, 'repo')
  const cases: [string, string[], number, RegExp][] = [
    ['no repo yet', ['--repo', repo, 'run'], 1, /is no sealer repo yet; make it with 'sealyard-sealer init/],
    [
      'nobody runs',
      ['--repo', repo, 'info'],
      1,
      /no sealer runs from .*; start it with 'sealyard-sealer run'/,
    ],
    [
      'a size that does not exist',
      ['--repo', repo, 'init', '--actor', 'f01005', '--sector-size', '1GiB'],
      1,
      /choose 2KiB, 8MiB/,
    ],
    [
      'no miner address',
      ['--repo', repo, 'init', '--actor', 'bob', '--sector-size', '2KiB'],
      1,
      /write it like f01005/,
    ],
    ['an unknown command', ['--repo', repo, 'storag'], 2, /unknown command/],
    ['a missing flag', ['--repo', repo, 'init'], 2, /--actor/],
  ]
  for (const [name, args, code, line] of cases) {
    const ended = await run('sealer', args)
    t.is(ended.code, code, `${name}: ${ended.stderr}`)
    t.regex(ended.stderr, line, name)
    t.notRegex(ended.stderr, /\n\s+at /, `${name}: no stack trace`)
  }
  t.false((await readdir(directory)).includes('repo') && (await readdir(repo)).includes('miner.json'))
})

test('init makes a repo once, and a wrong setting is named with the nearest right one', async (t) => {
  const repo = join(await scratch(t), 'repo')
  const init = ['--repo', repo, 'init', '--actor', 'f01005', '--sector-size', '2KiB']
  t.is((await run('sealer', init)).code, 0)
  const before = await readdir(repo)
  const again = await run('sealer', init)
  t.is(again.code, 1)
  t.regex(again.stderr, /is a sealer repo already/)
  t.deepEqual(await readdir(repo), before)

  await writeFile(join(repo, 'config.toml'), '[Storage]\nParalelFetchLimit = 3\n')
  const refused = await run('sealer', ['--repo', repo, 'run'])
  t.is(refused.code, 1)
  t.regex(refused.stderr, /has no key 'ParalelFetchLimit'; did you mean 'ParallelFetchLimit'\?/)
  const worker = await run('worker', ['--repo', join(repo, 'w'), 'run'])
  t.is(worker.code, 1)
  t.regex(worker.stderr, /SEALER_API_INFO is not set/)
})

test('two daemons on one repo or one port, a strange path and a wrong token are refused', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [] })
  const { repo, port, url } = cluster.sealer

  const second = await run('sealer', ['--repo', repo, 'run'])
  t.is(second.code, 1)
  t.regex(second.stderr, new RegExp(`in use by process ${cluster.sealer.child.pid}`))

  const other = join(cluster.directory, 'other')
  t.is((await run('sealer', ['--repo', other, 'init', '--actor', 'f01006', '--sector-size', '2KiB'])).code, 0)
  const samePort = await run('sealer', ['--repo', other, 'run', '--listen', `127.0.0.1:${port}`])
  t.is(samePort.code, 1)
  t.regex(words(samePort).join('\n'), new RegExp(`port ${port} .*is in use`))

  const attach = (path: string, ...flags: string[]) =>
    run('sealer', ['--repo', repo, 'storage', 'attach', ...flags, path])
  const empty = await attach(join(cluster.directory, 'nothing-here'))
  t.is(empty.code, 1)
  t.regex(empty.stderr, /sectorstore\.json/)
  const twice = await attach(join(cluster.directory, 'store'))
  t.is(twice.code, 1)
  t.is(words(twice).length, 1, twice.stderr)
  const useless = await attach(join(cluster.directory, 'useless'), '--init')
  t.not(useless.code, 0)
  t.regex(useless.stderr, /--seal|--store|seal.*store/)

  const stranger = await fetch(`${url}/remote/stat/${'0'.repeat(8)}`)
  t.is(stranger.status, 401)
  const wrong = await run('sealer', ['info'], { SEALER_API_INFO: `a.b.c:/ip4/127.0.0.1/tcp/${port}/http` })
  t.is(wrong.code, 1)
  t.notRegex(wrong.stderr, /a\.b\.c/)
  const storage = JSON.parse(await readFile(join(repo, 'storage.json'), 'utf8')) as {
    StoragePaths: unknown[]
  }
  t.is(storage.StoragePaths.length, 1, 'nothing that was refused is attached')
})
