import { existsSync } from 'node:fs'
import { readdir, truncate } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { listParameters } from '../../src/proofs/list-parameters.ts'
import { makeParameters } from '../../src/proofs/make-parameters.ts'
import { openExecutor } from '../../src/proofs/open-executor.ts'
import { ownParameterDirectory, parameterDirectories, sealyardCache } from '../../src/proofs/parameters.ts'
import { environment, PROOF_2KIB, SEED, SectorAtHand, temporary } from './sector-at-hand.ts'

test('the setting stands alone; else the operator’s directory is asked first, then our own cache', (t) => {
  const env = { FIL_PROOFS_PARAMETER_CACHE: '/params', XDG_CACHE_HOME: '/xdg' }
  t.deepEqual(parameterDirectories('/chosen', env), ['/chosen'])
  t.deepEqual(parameterDirectories('', env), ['/params', '/xdg/sealyard/parameters'])
  t.deepEqual(parameterDirectories('', { XDG_CACHE_HOME: '/xdg' }), ['/xdg/sealyard/parameters'])
  const ours = { SEALYARD_CACHE: '/ours', XDG_CACHE_HOME: '/xdg' }
  t.deepEqual(parameterDirectories('', ours), ['/ours/parameters'])
  t.deepEqual(parameterDirectories('', {}), [join(homedir(), '.cache/sealyard/parameters')])
})

test('home-made parameters are found beside an operator’s directory that has none of this size', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  const env = {
    ...environment(at.directory),
    SEALYARD_CACHE: sealyardCache(process.env),
    FIL_PROOFS_PARAMETER_CACHE: join(at.directory, 'the network’s'),
  }
  await makeParameters({ circuit: 'window-post', sizeName: '2KiB', env })
  const executor = await openExecutor({
    kind: 'prover',
    parameterCache: '',
    env,
    log: silentLogger,
    clock: systemClock,
  })
  t.true(await executor.canProvePost('window', PROOF_2KIB))
  t.false(existsSync(env.FIL_PROOFS_PARAMETER_CACHE), 'the operator’s directory is not made, nor written to')
  const alone = { kind: 'prover', parameterCache: join(at.directory, 'none') } as const
  const strict = await openExecutor({ ...alone, env, log: silentLogger, clock: systemClock })
  t.false(await strict.canProvePost('window', PROOF_2KIB), 'a setting is taken at its word')
})

test('what was made proves a window PoSt; two makers at once make it once', async (t) => {
  const at = await SectorAtHand.withProver(t, PROOF_2KIB)
  const env = environment(at.directory)
  const said: string[] = []
  const wish = {
    circuit: 'window-post',
    sizeName: '2KiB',
    env,
    onLine: (line: string) => said.push(line),
  } as const
  const log = { log: silentLogger, clock: systemClock }
  const executor = await openExecutor({ kind: 'prover', parameterCache: '', env, ...log })
  t.false(await executor.canProvePost('window', PROOF_2KIB))

  await Promise.all([makeParameters(wish), makeParameters(wish)])
  t.is(said.filter((line) => line.startsWith('making')).length, 1)
  t.true(await executor.canProvePost('window', PROOF_2KIB))
  t.false(await executor.canCommit2(PROOF_2KIB))
  const files = await readdir(ownParameterDirectory(env))

  const { commR } = await at.seal()
  const { sealed, cache } = at.paths
  const asked = {
    kind: 'window',
    proofType: PROOF_2KIB,
    miner: 1000,
    randomness: SEED,
    sectors: [7],
  } as const
  const challenges = (await executor.postChallenges(asked, at.context())).get(7) ?? []
  const part = { kind: 'window', sector: at.sector, sealed, cache, commR, challenges } as const
  const vanillaProofs = [await executor.vanillaPost(part, at.context())]
  const proof = await executor.windowPost({ ...asked, vanillaProofs }, at.context())
  t.is(proof.length, 192)
  const verify = { proofType: PROOF_2KIB, miner: 1000, randomness: SEED, proof }
  const sectors = [{ number: 7, commR }]
  t.true(await executor.verifyWindowPost({ ...verify, sectors }, at.context()))
  const others = [{ number: 8, commR }]
  t.false(await executor.verifyWindowPost({ ...verify, sectors: others }, at.context()))
  t.deepEqual(await readdir(ownParameterDirectory(env)), files, 'proving only reads')

  // Half a file, as an interrupted download leaves it.
  const params = files.find((name) => name.endsWith('.params')) ?? ''
  await truncate(join(ownParameterDirectory(env), params), 1_000_000)
  const directory = ownParameterDirectory(env)
  const [found] = await listParameters({ directory, env, ...log })
  t.like(found, { circuit: 'window-post', sizeName: '2KiB', canProve: false, canVerify: true })
  t.is(found?.parameters.state, 'cut short')
  const again = executor.windowPost({ ...asked, vanillaProofs }, at.context())
  await t.throwsAsync(again, { code: 'NO_PARAMETERS', message: /cut short/ })
})

test('parameters of other sizes are not made', async (t) => {
  const env = environment(await temporary(t))
  const wish = makeParameters({ circuit: 'porep', sizeName: '8MiB', env })
  await t.throwsAsync(wish, { code: 'NO_PARAMETERS', message: /of 8MiB sectors are not made here/ })
})

test('a maker that is stopped leaves nothing that looks like parameters', async (t) => {
  const env = environment(await temporary(t))
  const stop = new AbortController()
  const onLine = () => stop.abort()
  const wish = makeParameters({ circuit: 'winning-post', sizeName: '2KiB', env, onLine, signal: stop.signal })
  await t.throwsAsync(wish, { code: 'TASK_ABORTED' })
  const left = await readdir(ownParameterDirectory(env))
  t.deepEqual(
    left.filter((name) => name.startsWith('v28-')),
    [],
  )
})
