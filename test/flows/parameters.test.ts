import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { listParameters } from '../../src/proofs/list-parameters.ts'
import { command } from '../../src/tour/daemons.ts'
import { ClusterAtHand } from './cluster-at-hand.ts'
import { isRefused } from './refusal.ts'
import { scratch, type Typed, typed } from './typed-command.ts'

const CONFIG = '[Chain]\nOfflineWait = "10ms"\n[Storage]\nAllowCommit = false\n'

/** As bellperson writes a verifying key: three points of G1 and three of G2, then counted ones. */
function keyOf(byte: number): Buffer {
  return Buffer.concat([Buffer.alloc(864, byte), Buffer.from([0, 0, 0, 1]), Buffer.alloc(96, byte)])
}

/** Parameters are a key and five counted lists; these are empty. */
const parametersOf = (byte: number) => Buffer.concat([keyOf(byte), Buffer.alloc(5 * 4)])

test('C2 is not begun with parameters that are missing, cut in half or of another circuit, and the file is named', async (t) => {
  const directory = join(await scratch(t), 'parameters')
  await mkdir(directory)
  const listed = await listParameters({ directory, env: process.env, log: silentLogger, clock: systemClock })
  const porep = listed.find((each) => each.circuit === 'porep' && each.sizeName === '2KiB')
  const [groth = '', key = ''] = [porep?.parameters.file, porep?.verifyingKey.file]
  t.regex(groth, /stacked-proof-of-replication.*\.params$/)
  await writeFile(key, keyOf(1))

  const cluster = await ClusterAtHand.start(t, { workers: ['w01'], config: CONFIG, parameters: directory })
  const worker = cluster.worker('w01')
  const commit2: Typed = {
    program: 'sealer',
    args: ['--repo', cluster.sealer.repo, 'sectors', 'commit2', '1'],
  }
  const told = async (state: string) => {
    const line = `"lacking":"${groth} is ${state}"`
    const deadline = performance.now() + 120_000
    while (!(await readFile(worker.log, 'utf8')).includes(line)) {
      if (performance.now() > deadline) throw new Error(`the worker does not say ${line}`)
      // Asked what it offers, as the sealer asks when there is something to decide.
      await command(worker, ['info'])
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
  await cluster.sealerSays('sectors', 'pledge')
  await cluster.untilState(1, 'Proving')
  const before = await (await cluster.api()).SectorsStatus(1, false)
  t.regex(before.Sealyard?.commit2 ?? '', /^deferred/)
  for (const [state, spoil] of [
    ['missing', () => rm(groth, { force: true })],
    ['cut short', () => writeFile(groth, parametersOf(1).subarray(0, 500))],
    ['of another circuit', () => writeFile(groth, parametersOf(2))],
  ] as const) {
    await spoil()
    await told(state)
    const line =
      /no connected worker can run C2 for 2KiB sectors: .* names the files in its log, 'parameters list'/
    isRefused(t, { name: state, typed: commit2, line }, await typed(commit2))
    const table = await cluster.sealerSays('parameters', 'list', '--directory', directory)
    t.regex(table, new RegExp(`porep +2KiB +no +yes +${state} +whole`))
  }
  t.deepEqual(await (await cluster.api()).SectorsStatus(1, false), before, 'nothing was begun')
})
