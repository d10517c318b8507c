import { join } from 'node:path'
import test from 'ava'
import { command, type RunningNode } from '../../src/tour/daemons.ts'
import { ClusterAtHand } from './cluster-at-hand.ts'
import { metafile, place } from './refusal.ts'

/** Polls what an operator would type until it says so. @throws with what it says instead */
async function untilSays(node: RunningNode, args: readonly string[], line: RegExp): Promise<string> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const text = await command(node, args)
    if (line.test(text)) return text
    if (performance.now() > deadline) throw new Error(`${args.join(' ')} does not say ${line}:\n${text}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A seal path for everything, but for what its metafile says. */
const SEAL = { CanSeal: true, CanStore: false }
const UNPLACEABLE: readonly { name: string; path: Record<string, unknown> | null; line: RegExp }[] = [
  { name: 'no path to seal on', path: null, line: /AP\n.*has no storage path for sealing/s },
  {
    name: 'a quota too small',
    path: { MaxStorage: 1000 },
    line: /no room for unsealed: it needs \d+ bytes, there are (\d+) on 11111111/,
  },
  {
    name: 'a type that is denied',
    path: { DenyTypes: ['unsealed'] },
    line: /none of its storage paths may take unsealed of f01005: DenyTypes is unsealed/,
  },
  {
    name: 'a type that is not allowed',
    path: { AllowTypes: ['sealed'] },
    line: /may take unsealed of f01005: AllowTypes is sealed/,
  },
  {
    name: 'a miner that is denied',
    path: { DenyMiners: ['f01005'] },
    line: /may take unsealed of f01005: DenyMiners is f01005/,
  },
  {
    name: 'a miner that is not allowed',
    path: { AllowMiners: ['f01234'] },
    line: /may take unsealed of f01005: AllowMiners is f01234/,
  },
  {
    name: 'a group that is elsewhere',
    path: { Groups: ['here'], AllowTo: ['elsewhere'] },
    line: /PC1\n.*AllowTo lets the sector go to groups elsewhere only/s,
  },
]

test('what cannot be placed waits, and says which rule or number keeps it waiting', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [], config: '[Proofs]\nExecutor = "shape"\n' })
  const { sealer } = cluster
  const path = join(cluster.directory, 'scratch')
  await command(sealer, ['sectors', 'pledge'])
  for (const { name, path: rules, line } of UNPLACEABLE) {
    if (rules !== null) {
      await place(path, { 'sectorstore.json': metafile({ ...SEAL, ...rules }) })
      await command(sealer, ['storage', 'attach', path])
    }
    const said = await untilSays(sealer, ['sealing', 'decisions', '--sector', '1'], line)
    t.regex(said, line, name)
    const diag = JSON.parse(await command(sealer, ['sealing', 'sched-diag'])) as {
      SchedInfo: { Requests: { Sector: { Number: number } }[] }
    }
    t.is(diag.SchedInfo.Requests[0]?.Sector.Number, 1, `${name}: it waits in the queue`)
    t.regex(
      (await cluster.api().then((api) => api.SectorsStatus(1, false))).State,
      /^(Packing|PreCommit1)$/,
      name,
    )
    if (rules !== null) await command(sealer, ['storage', 'detach', '--really-do-it', path])
  }
  // With the rules gone it goes on by itself: nothing was given up, nothing has to be started again.
  await place(path, { 'sectorstore.json': metafile(SEAL) })
  await command(sealer, ['storage', 'attach', path])
  await cluster.untilState(1, 'Proving')
  t.log(`${UNPLACEABLE.length} reasons to wait`)
})

test('a task that no worker takes waits, and says so', async (t) => {
  const config = '[Storage]\nAllowPreCommit1 = false\n[Proofs]\nExecutor = "shape"\n'
  const cluster = await ClusterAtHand.start(t, { workers: [], config })
  await command(cluster.sealer, ['storage', 'attach', '--init', '--seal', join(cluster.directory, 'scratch')])
  await command(cluster.sealer, ['sectors', 'pledge'])
  const line = /PC1\n.*no +.* does not take PC1/s
  t.regex(await untilSays(cluster.sealer, ['sealing', 'decisions'], line), line)
  t.is((await (await cluster.api()).SectorsStatus(1, false)).State, 'PreCommit1')
})
