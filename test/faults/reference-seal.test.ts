import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { skipUnless } from '../skip.ts'
import { TOP } from '../source-files.ts'
import { differencesFromUndisturbed, sealOnce, workplace } from './reference-seal.ts'

const HAS_PROVER = existsSync(join(TOP, 'build/sealyard-prover'))
const NO_PROVER = 'the prover has not been built (npm run build)'

const ORIGIN = {
  sector: { ID: { Miner: 1005, Number: 7 }, ProofType: 5 },
  ticket: '11'.repeat(31).padEnd(64, '0'),
  data: Buffer.from(Array.from({ length: 700 }, (_, index) => (index * 7 + (index >> 8)) & 0xff)),
}

/** What PC2 leaves in a cache. */
const LEFTOVERS = /^([pt]_aux|sc-02-data-tree-(c|r-last).*\.dat)$/

async function workplaces(t: ExecutionContext, ...names: string[]) {
  const top = await mkdtemp(join(tmpdir(), 'sealyard-leftovers-'))
  t.teardown(() => rm(top, { recursive: true, force: true }))
  const places = names.map((name) => workplace(join(top, name)))
  for (const { directory } of places) await mkdir(directory)
  return places as [ReturnType<typeof workplace>, ReturnType<typeof workplace>]
}

test('PC2 alone refuses its own leftovers: its trees, and a sealed file that it has encoded', async (t) => {
  if (skipUnless(t, HAS_PROVER, NO_PROVER)) return
  const [trees, encoded] = await workplaces(t, 'trees', 'encoded')
  const overTrees = sealOnce(ORIGIN, trees, async (preCommit2) => void (await preCommit2()))
  await t.throwsAsync(overTrees, { code: 'NOT_RESTARTABLE', message: /already holds p_aux/ })
  const overEncoded = sealOnce(ORIGIN, encoded, async (preCommit2) => {
    await preCommit2()
    const left = (await readdir(encoded.cache)).filter((name) => LEFTOVERS.test(name))
    for (const name of left) await rm(join(encoded.cache, name))
  })
  await t.throwsAsync(overEncoded, { code: 'NOT_RESTARTABLE', message: /no longer the plain copy/ })
})

test('a seal is told from one with another ticket, another sealed file or another p_aux', async (t) => {
  if (skipUnless(t, HAS_PROVER, NO_PROVER)) return
  const [one, other] = await workplaces(t, 'one', 'other')
  const right = { ...(await sealOnce(ORIGIN, one)), ...one }
  t.deepEqual(await differencesFromUndisturbed(ORIGIN, right), [])
  const wrong = {
    ...(await sealOnce({ ...ORIGIN, ticket: '22'.repeat(31).padEnd(64, '0') }, other)),
    ...other,
  }
  const differences = await differencesFromUndisturbed(ORIGIN, wrong)
  t.true(differences.some((each) => each.startsWith('comm_r is')))
  t.false(differences.some((each) => each.startsWith('comm_d is')))
  t.true(differences.includes('the sealed file has other content'))

  await writeFile(join(one.cache, 'p_aux'), Buffer.alloc(64))
  t.deepEqual(await differencesFromUndisturbed(ORIGIN, right), ['p_aux has other content'])
})
