import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { isSealyardError } from '../../src/base/errors.ts'
import { BUILT_IN_POLICY } from '../../src/scheduler/decide/policy.ts'
import { loadPolicy } from '../../src/scheduler/load-policy.ts'
import { Cluster, quiet, sectorOf } from './cluster-at-hand.ts'
import { seal } from './decide-tables.ts'

const CASES: readonly [text: string, words: RegExp][] = [
  ['export const other = 1', /exports neither accept nor compare/],
  ['export const accept = 1', /accept of .* is no function but number/],
  ['export const accept = (', /cannot be loaded/],
]

async function moduleWith(t: { teardown(fn: () => Promise<void>): void }, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-policy-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const file = join(directory, 'policy.mjs')
  await writeFile(file, text)
  return file
}

for (const [text, words] of CASES) {
  test(`refuses a module that says '${text}'`, async (t) => {
    const file = await moduleWith(t, text)
    const error = await t.throwsAsync(loadPolicy(file))
    t.true(isSealyardError(error, 'BAD_POLICY'))
    t.regex(error?.message ?? '', words)
  })
}

test('no file means the built-in policy; what a module does not export stays built in', async (t) => {
  t.is(await loadPolicy(''), BUILT_IN_POLICY)
  const policy = await loadPolicy(await moduleWith(t, 'export const accept = () => true'))
  t.is(policy.compare, BUILT_IN_POLICY.compare)
  t.not(policy.accept, BUILT_IN_POLICY.accept)
})

test('an operator’s module decides in a running scheduler', async (t) => {
  const policyFile = await moduleWith(
    t,
    "export const accept = (worker) => worker.hostname === 'b' || 'only b'",
  )
  const cluster = await Cluster.start(t, { paths: { seal: seal() }, policyFile })
  const a = await cluster.connect({ name: 'a', seal: null, stores: [], auto: true })
  const b = await cluster.connect({ name: 'b', seal: null, stores: [], auto: true })
  await cluster.tasks.commit2(sectorOf(1), 'YzE=')
  await quiet()
  t.deepEqual([a.log, b.log], [[], ['C2 1']])
})
