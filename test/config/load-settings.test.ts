import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'smol-toml'
import { defaultConfigFile, loadSettings } from '../../src/config/load-settings.ts'
import { nearest } from '../../src/config/nearest.ts'
import { type NodeKind, SETTINGS, settingRows, settingVariable } from '../../src/config/settings-table.ts'

async function repoWith(config: string | null): Promise<string> {
  const repo = await mkdtemp(join(tmpdir(), 'sealyard-config-'))
  if (config !== null) await writeFile(join(repo, 'config.toml'), config)
  return repo
}

async function load(
  kind: NodeKind,
  config: string | null,
  env: Record<string, string> = {},
  flags: Record<string, string | boolean | number | undefined> = {},
) {
  const repo = await repoWith(config)
  try {
    return await loadSettings(kind, { repo, env, flags })
  } finally {
    await rm(repo, { recursive: true })
  }
}

test('without a file, defaults are those of the field, per daemon', async (t) => {
  const sealer = await load('sealer', null)
  const worker = await load('worker', null)
  t.is(sealer.value.API.ListenAddress, '/ip4/127.0.0.1/tcp/2345/http')
  t.is(worker.value.API.ListenAddress, '/ip4/127.0.0.1/tcp/3456/http')
  t.is(sealer.value.Storage.ParallelFetchLimit, 10)
  t.is(worker.value.Storage.ParallelFetchLimit, 5)
  t.is(sealer.value.Sealing.AlwaysKeepUnsealedCopy, true)
  t.is(sealer.value.Sealing.MinRetryTime, 60_000)
})

test('flag wins over environment over file over default, and each value tells its origin', async (t) => {
  const key = 'Storage.ParallelFetchLimit'
  const variable = 'SEALYARD_STORAGE_PARALLELFETCHLIMIT'
  const file = '[Storage]\nParallelFetchLimit = 2\n'
  const cases: [number, string, string | null, Record<string, string>, Record<string, string | undefined>][] =
    [
      [5, 'default', null, {}, { [key]: undefined }],
      [2, 'config.toml', file, {}, {}],
      [3, variable, file, { [variable]: '3' }, {}],
      [4, '--parallel-fetch-limit', file, { [variable]: '3' }, { [key]: '4' }],
    ]
  for (const [value, origin, config, env, flags] of cases) {
    const settings = await load('worker', config, env, flags)
    t.is(settings.value.Storage.ParallelFetchLimit, value)
    const line = settings.explain().find((each) => each.key === key)
    t.is(line?.value, String(value))
    t.true(line?.origin.endsWith(origin), `${line?.origin} should end with ${origin}`)
    t.is(settings.isSet(key), origin !== 'default')
  }
})

const refusals: [string, string, Record<string, string>, string, RegExp][] = [
  [
    'a misspelt key',
    '[Storage]\nParalelFetchLimit = 2',
    {},
    'UNKNOWN_SETTING',
    /did you mean 'ParallelFetchLimit'/,
  ],
  ['a misspelt section', '[Storrage]\n', {}, 'UNKNOWN_SETTING', /did you mean \[Storage\]/],
  ['a key nothing is near to', '[Storage]\nZebra = 2', {}, 'UNKNOWN_SETTING', /'config show' lists them all/],
  [
    'a text for a number',
    '[Storage]\nParallelFetchLimit = "2"',
    {},
    'BAD_SETTING',
    /config\.toml: Storage\.ParallelFetchLimit is "2", but must be a whole number, at least 1/,
  ],
  ['a number below the least', '[Storage]\nParallelFetchLimit = 0', {}, 'BAD_SETTING', /at least 1/],
  [
    'a word outside the choices',
    '[Proofs]\nExecutor = "fast"',
    {},
    'BAD_SETTING',
    /must be "prover" or "shape"/,
  ],
  [
    'a duration without a unit',
    '[API]\nTimeout = "60"',
    {},
    'BAD_SETTING',
    /must be a duration such as "90s"/,
  ],
  ['a section that is a value', 'Storage = 1', {}, 'BAD_SETTING', /write it as \[Storage\]/],
  ['broken TOML', '[Storage\n', {}, 'BAD_TOML', /config\.toml, line 1/],
  [
    "the other daemon's key",
    '[Sealing]\nAlwaysKeepUnsealedCopy = false',
    {},
    'FOREIGN_SETTING',
    /a setting of the sealer/,
  ],
  [
    'a misspelt variable',
    '',
    { SEALYARD_STORAGE_PARALELFETCHLIMIT: '3' },
    'UNKNOWN_SETTING',
    /SEALYARD_STORAGE_PARALLELFETCHLIMIT/,
  ],
  [
    'a variable of a wrong type',
    '',
    { SEALYARD_WORKER_PRECOMMIT1: 'maybe' },
    'BAD_SETTING',
    /must be true or false/,
  ],
]
for (const [what, config, env, code, message] of refusals) {
  test(`refuses ${what}, and says what to write`, async (t) => {
    await t.throwsAsync(load('worker', config, env), { code, message })
  })
}

test('variables that are no settings are left alone', async (t) => {
  await t.notThrowsAsync(load('worker', null, { SEALYARD_WORKER_PATH: '/x', SEALYARD_ANYTHING: 'y' }))
})

test('sizes, durations, lists and switches are read from text', async (t) => {
  const { value } = await load('worker', '[Space]\nFloor = "2GiB"\n', {
    SEALYARD_API_TIMEOUT: '1m30s',
    SEALYARD_LOGGING_SUBSYSTEMLEVELS: 'stores=debug, rpc=warn',
    SEALYARD_WORKER_UNSEAL: 'no',
  })
  t.is(value.Space.Floor, 2 * 2 ** 30)
  t.is(value.API.Timeout, 90_000)
  t.deepEqual(value.Logging.SubsystemLevels, ['stores=debug', 'rpc=warn'])
  t.false(value.Worker.Unseal)
})

for (const kind of ['sealer', 'worker'] as const) {
  test(`the generated file of the ${kind} holds every setting at its default`, async (t) => {
    const uncommented = defaultConfigFile(kind).replace(/^ {2}#(\w)/gm, '  $1')
    t.deepEqual(parse(defaultConfigFile(kind)), parse(uncommented.replace(/^ {2}\w.*$/gm, '')))
    const [fromFile, defaults] = await Promise.all([load(kind, uncommented), load(kind, null)])
    t.deepEqual(fromFile.value, defaults.value)
    for (const line of fromFile.explain()) t.true(fromFile.isSet(line.key), line.key)
  })
}

test('no two settings share a variable, and every row says what it does', (t) => {
  const rows = (['sealer', 'worker'] as const).flatMap(settingRows)
  const names = new Map(
    rows.map((row) => [settingVariable(row.section, row.key), `${row.section}.${row.key}`]),
  )
  const keys = Object.entries(SETTINGS).flatMap(([section, each]) =>
    Object.keys(each).map((key) => `${section}.${key}`),
  )
  t.deepEqual([...names.values()].sort(), keys.sort())
  for (const { section, key, setting } of rows) t.regex(setting.text, /^\S.{10,}$/, `${section}.${key}`)
})

test('nearest finds what was meant, and nothing when nothing is near', (t) => {
  t.is(nearest('paralelfetchlimit', ['ParallelFetchLimit', 'Policy']), 'ParallelFetchLimit')
  t.is(nearest('xyz', ['ParallelFetchLimit', 'Policy']), null)
})
