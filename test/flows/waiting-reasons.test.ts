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
const UNPLACEABLE: readonly {
  readonly name: string
  readonly path: Record<string, unknown> | null
  readonly line: RegExp
  /** The rule and the path it stands in. */
  readonly rule?: RegExp
  /** Where `sched-diag`, which has the task in a key of its own, has other words around it. */
  readonly diagLine?: RegExp
}[] = [
  {
    name: 'no path to seal on',
    path: null,
    line: /AP\n.*has no storage path for sealing/s,
    diagLine: /: has no storage path for sealing$/m,
  },
  {
    name: 'a quota too small',
    path: { MaxStorage: 1000 },
    line: /no room for unsealed: it needs \d+ bytes, there are (\d+) on 11111111/,
  },
  {
    name: 'a type that is denied',
    path: { DenyTypes: ['unsealed'] },
    line: /none of its storage paths may take unsealed of f01005: DenyTypes is unsealed/,
    rule: /DenyTypes is unsealed on 11111111-/,
  },
  {
    name: 'a type that is not allowed',
    path: { AllowTypes: ['sealed'] },
    line: /may take unsealed of f01005: AllowTypes is sealed/,
    rule: /AllowTypes is sealed on 11111111-/,
  },
  {
    name: 'a miner that is denied',
    path: { DenyMiners: ['f01005'] },
    line: /may take unsealed of f01005: DenyMiners is f01005/,
    rule: /DenyMiners is f01005 on 11111111-/,
  },
  {
    name: 'a miner that is not allowed',
    path: { AllowMiners: ['f01234'] },
    line: /may take unsealed of f01005: AllowMiners is f01234/,
    rule: /AllowMiners is f01234 on 11111111-/,
  },
  {
    name: 'a group that is elsewhere',
    path: { Groups: ['here'], AllowTo: ['elsewhere'] },
    line: /PC1\n.*AllowTo lets the sector go to groups elsewhere only/s,
    diagLine: /AllowTo lets the sector go to groups elsewhere only/,
    rule: /only, as 11111111-.* says, and here 11111111-\S+ is in here: change Groups/,
  },
]

test('what cannot be placed waits, and says which rule or number keeps it waiting', async (t) => {
  const cluster = await ClusterAtHand.start(t, { workers: [], config: '[Proofs]\nExecutor = "shape"\n' })
  const { sealer } = cluster
  const path = join(cluster.directory, 'scratch')
  await command(sealer, ['sectors', 'pledge'])
  for (const { name, path: rules, line, rule, diagLine } of UNPLACEABLE) {
    if (rules !== null) {
      await place(path, { 'sectorstore.json': metafile({ ...SEAL, ...rules }) })
      await command(sealer, ['storage', 'attach', path])
    }
    const said = await untilSays(sealer, ['sealing', 'decisions', '--sector', '1'], line)
    t.regex(said, line, name)
    const diag = JSON.parse(await command(sealer, ['sealing', 'sched-diag'])) as {
      SchedInfo: { Requests: { Sector: { Number: number }; Sealyard?: { waits: string[] } }[] }
    }
    const [request] = diag.SchedInfo.Requests
    t.is(request?.Sector.Number, 1, `${name}: it waits in the queue`)
    const waits = request?.Sealyard?.waits.join('\n') ?? ''
    t.regex(waits, diagLine ?? line, `${name}: sched-diag says so too`)
    if (rule !== undefined) {
      t.regex(waits, rule, name)
      t.regex(waits, /sectorstore\.json, then 'storage redeclare'/, `${name}: and what to do`)
    }
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
