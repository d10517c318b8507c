import test from 'ava'
import { decide } from '../../src/scheduler/decide/decide.ts'
import { BUILT_IN_POLICY } from '../../src/scheduler/decide/policy.ts'
import type { Brought, Selector, TaskRequest } from '../../src/scheduler/decide/request.ts'
import { fileBytes } from '../../src/scheduler/file-bytes.ts'
import { needsOf, resourceTable } from '../../src/scheduler/resources.ts'
import type { SectorFileType } from '../../src/sectors/file-types.ts'
import { TASK } from '../../src/sectors/task-types.ts'
import {
  bits,
  GIB,
  type Held,
  machine,
  PC2_TAKES_ALL,
  PROOF_32G,
  path,
  request,
  type Scene,
  seal,
  snapshot,
  store,
  worker,
} from './decide-tables.ts'

const SECTOR = { ID: { Miner: 1005, Number: 1 }, ProofType: PROOF_32G }
const brought = (
  phase: 'pc1' | 'finalized',
  pathKind: Brought['pathKind'],
  ...types: SectorFileType[]
): Brought => ({ files: fileBytes(SECTOR, phase, types), pathKind })

const PC1 = request({
  task: 'PC1',
  selector: { kind: 'alloc', bits: bits('sealed', 'cache'), pathKind: 'sealing' },
  brings: brought('pc1', 'sealing', 'unsealed'),
})
const PC2 = request({
  task: 'PC2',
  selector: { kind: 'existing', bits: bits('sealed', 'cache'), allowFetch: true },
  brings: brought('pc1', 'sealing', 'sealed', 'cache'),
})
const C1 = request({
  task: 'C1',
  selector: { kind: 'existing', bits: bits('sealed', 'cache'), allowFetch: false },
})
const FIN = request({ task: 'FIN', selector: { kind: 'existing', bits: bits('cache'), allowFetch: false } })
const UNS = request({
  task: 'UNS',
  selector: { kind: 'alloc', bits: bits('unsealed'), pathKind: 'sealing' },
  brings: brought('finalized', 'sealing', 'sealed', 'cache'),
})
const getOf = (selector: Partial<Extract<Selector, { kind: 'move' }>> = {}): TaskRequest =>
  request({
    task: 'GET',
    selector: { kind: 'move', bits: bits('sealed', 'cache'), allowRemote: true, ...selector },
    brings: brought('finalized', 'storage', 'sealed', 'cache'),
  })

function decided(scene: Scene) {
  const { assignments, decisions, lines } = decide(snapshot(scene), BUILT_IN_POLICY)
  const windows = scene.windows ?? scene.workers.flatMap((each) => [each.id, each.id])
  return {
    to: assignments.map(({ request: { id }, window }) => `${id} → ${windows[window]}`),
    decisions,
    lines,
    reasons: Object.fromEntries(
      (decisions[0]?.windows ?? []).map(({ worker: id, reason }): [string, string] => [id, reason]),
    ),
  }
}

/** The founding document's deployment: one machine, two bound workers, a sealer that sees both stores. */
const FOUNDING = {
  paths: [
    path('tmpsealer', seal()),
    path('tmpw01', seal('w01')),
    path('tmpw04', seal('w04')),
    path('store', { ...store, Weight: 8 }),
    path('f01005', store),
  ],
  workers: [
    worker({ id: 'sealer', machine: 'm', paths: ['tmpsealer', 'store', 'f01005'] }),
    worker({ id: 'w01', machine: 'm', paths: ['tmpw01', 'store'], tiers: { 'tmpw01 store': 'clone' } }),
    worker({ id: 'w04', machine: 'm', paths: ['tmpw04', 'f01005'], tiers: { 'tmpw04 f01005': 'rename' } }),
  ],
} as const

/** Three hosts without groups. */
const SPREAD = {
  paths: [path('a-seal', seal()), path('b-seal', seal()), path('c-store', store), path('b-store', store)],
  workers: [
    worker({ id: 'a', paths: ['a-seal'] }),
    worker({ id: 'b', paths: ['b-seal', 'b-store'], tiers: { 'b-seal b-store': 'copy' } }),
    worker({ id: 'c', paths: ['c-store'] }),
  ],
} as const

const HOLDER: readonly [
  title: string,
  task: TaskRequest,
  held: Held,
  to: string,
  scene: 'founding' | 'spread',
][] = [
  ['PC1 goes to who holds the unsealed copy', PC1, { 'b-seal': ['unsealed'] }, 'b', 'spread'],
  ['PC2 goes to who made the layers', PC2, { 'b-seal': ['sealed', 'cache'] }, 'b', 'spread'],
  ['C1 stays with who holds both files', C1, { 'a-seal': ['sealed', 'cache'] }, 'a', 'spread'],
  ['FIN stays with who holds the cache', FIN, { 'b-seal': ['sealed', 'cache'] }, 'b', 'spread'],
  [
    'UNS goes to who holds the sealed file, also in a store',
    UNS,
    { 'b-store': ['sealed', 'cache'] },
    'b',
    'spread',
  ],
  ['GET goes to the holder with a store', getOf(), { 'b-seal': ['sealed', 'cache'] }, 'b', 'spread'],
  ['GET goes by rename before anything else', getOf(), { tmpw04: ['sealed', 'cache'] }, 'w04', 'founding'],
  [
    'GET goes by clone before a copy between processes',
    getOf(),
    { tmpw01: ['sealed', 'cache'] },
    'w01',
    'founding',
  ],
  ['groups bind PC1', PC1, { tmpw04: ['unsealed'] }, 'w04', 'founding'],
  ['groups bind PC2', PC2, { tmpw01: ['sealed', 'cache'] }, 'w01', 'founding'],
]

for (const [title, task, held, to, scene] of HOLDER) {
  test(title, (t) => {
    const found = decided({ ...(scene === 'founding' ? FOUNDING : SPREAD), queue: [task], held })
    t.deepEqual(found.to, [`${task.id} → ${to}`], JSON.stringify(found.reasons))
    const chosen = found.decisions[0]?.windows.find((each) => each.window === found.decisions[0]?.chosen)
    t.is(chosen?.networkBytes, 0)
  })
}

test('groups bind also when the bound worker is away: nobody else gets the sector', (t) => {
  const [sealer, , w04] = FOUNDING.workers
  const found = decided({
    ...FOUNDING,
    workers: [sealer, w04],
    queue: [PC2],
    held: { tmpw01: ['sealed', 'cache'] },
  })
  t.deepEqual(found.to, [])
  t.regex(
    found.reasons.w04 ?? '',
    /^AllowTo lets the sector go to groups w01 only, as tmpw01 says, and here tmpw04 is in w04: /,
  )
})

test('the holder copies before another process on its machine fetches', (t) => {
  const workers = [FOUNDING.workers[0], worker({ id: 'w01', machine: 'm', paths: ['tmpw01', 'store'] })]
  t.deepEqual(decided({ ...FOUNDING, workers, queue: [getOf()], held: { tmpw01: ['sealed', 'cache'] } }).to, [
    'GET-1 → w01',
  ])
})

test('a holder without a store hands over to the same machine before the network', (t) => {
  const paths = [path('seal', seal()), path('near', store), path('far', store)]
  const workers = [
    worker({ id: 'far', paths: ['far'] }),
    worker({ id: 'near', machine: 'm', paths: ['near'] }),
    worker({ id: 'holder', machine: 'm', paths: ['seal'] }),
  ]
  const found = decided({ workers, paths, queue: [getOf()], held: { seal: ['sealed', 'cache'] } })
  t.deepEqual(found.to, ['GET-1 → near'])
  t.is(found.reasons.holder, 'has no storage path for long-term storage')
  const far = found.decisions[0]?.windows.find((each) => each.worker === 'far')
  t.is(
    far?.networkBytes,
    [...(getOf().brings?.files.values() ?? [])].reduce((a, b) => a + b, 0),
  )
})

test('with DisallowRemoteFinalize a holder with separate seal and store paths finalizes, nobody else', (t) => {
  const get = getOf({ allowRemote: false })
  const found = decided({ ...SPREAD, queue: [get], held: { 'b-seal': ['sealed', 'cache'] } })
  t.deepEqual(found.to, ['GET-1 → b'])
  t.regex(found.reasons.c ?? '', /DisallowRemoteFinalize/)
})

test('files that lie in a nearly full store need no room there', (t) => {
  const paths = [path('seal', seal()), path('full', store, 10 * 2 ** 20)]
  const workers = [worker({ id: 'w', paths: ['seal', 'full'], tiers: { 'seal full': 'copy' } })]
  const half = { full: ['sealed', 'cache'], seal: ['cache'] } as const
  t.deepEqual(decided({ workers, paths, queue: [getOf()], held: half }).to, ['GET-1 → w'])
  const found = decided({ workers, paths, queue: [getOf()], held: { seal: ['sealed', 'cache'] } })
  t.deepEqual(found.to, [])
  t.regex(found.reasons.w ?? '', /^no room for sealed/)
})

test('a rename needs no room, unless a quota counts it', (t) => {
  const tiers = { 'seal full': 'rename' } as const
  const held = { seal: ['sealed', 'cache'] } as const
  const scene = (quota: number) => ({
    paths: [path('seal', seal()), path('full', { ...store, MaxStorage: quota }, 0)],
    workers: [worker({ id: 'w', paths: ['seal', 'full'], tiers })],
    queue: [getOf()],
    held,
  })
  t.deepEqual(decided(scene(0)).to, ['GET-1 → w'])
  t.deepEqual(decided(scene(GIB)).to, [])
})

test('filters of types and of miners count for the store', (t) => {
  const workers = [worker({ id: 'w', paths: ['seal', 'store'] })]
  const held = { seal: ['sealed', 'cache'] } as const
  for (const rules of [{ DenyTypes: ['cache'] }, { AllowMiners: ['f01000'] }]) {
    const paths = [path('seal', seal()), path('store', { ...store, ...rules })]
    const found = decided({ workers, paths, queue: [getOf()], held })
    t.regex(found.reasons.w ?? '', /^none of its storage paths may take/)
  }
})

test('a file whose only path is unwell is not fetched from', (t) => {
  const gone = { ...path('a-seal', seal()), unusable: 'no heartbeat for 60 s' }
  const scene = { ...SPREAD, paths: [gone, path('b-seal', seal())], workers: [SPREAD.workers[1]] }
  const found = decided({ ...scene, queue: [PC2], held: { 'a-seal': ['sealed', 'cache'] } })
  t.is(found.reasons.b, 'cannot fetch sealed: it lies on a-seal, no heartbeat for 60 s')
})

test('one-pc1: a task goes to the worker that takes it, whoever came first', (t) => {
  const fred = worker({ id: 'fred', tasks: ['PC1'] })
  const jason = worker({ id: 'jason', tasks: ['PC2'] })
  for (const workers of [
    [fred, jason],
    [jason, fred],
  ]) {
    t.deepEqual(decided({ workers, queue: [request({ task: 'PC1' })] }).to, ['PC1-1 → fred'])
  }
})

test('constrained-resources: a machine that is too small is passed over for one that ignores resources', (t) => {
  const info = machine()
  const small = { ...info, Resources: { ...info.Resources, MemPhysical: 8 * GIB, MemSwap: 0 } }
  const workers = [
    worker({ id: 'small', info: small }),
    worker({ id: 'bold', info: { ...small, IgnoreResources: true } }),
  ]
  const found = decided({ workers, queue: [request({ task: 'PC1' })] })
  t.deepEqual(found.to, ['PC1-1 → bold'])
  t.is(found.reasons.small, 'the machine is too small: not enough memory')
})

test('a window takes what fits an empty machine, the rest waits for another', (t) => {
  const fred = worker({ id: 'fred', info: machine(PC2_TAKES_ALL) })
  const queue = [1, 2, 3].map((sector) => request({ task: 'PC1', sector }))
  const found = decide(snapshot({ workers: [fred], queue, windows: ['fred'] }), BUILT_IN_POLICY)
  t.deepEqual(
    found.assignments.map((each) => each.request.id),
    ['PC1-1', 'PC1-2'],
  )
  t.is(found.decisions[2]?.chosen, null)
  t.is(found.decisions[2]?.windows[0]?.reason, 'the open windows are full')
})

test('tasks without files spread over idle workers', (t) => {
  const workers = ['a', 'b'].map((id) => worker({ id, paths: [`${id}-seal`] }))
  const selector = { kind: 'alloc', bits: bits('unsealed'), pathKind: 'sealing' } as const
  const queue = [1, 2, 3, 4].map((sector) => request({ task: 'AP', sector, selector }))
  const { to } = decided({ ...SPREAD, workers, queue })
  t.is(to.filter((each) => each.endsWith('a')).length, 2)
  const turn = worker({ id: 'a', paths: ['a-seal'], rest: { given: new Map([[TASK.AP, 1]]) } })
  const next = decided({ ...SPREAD, workers: [turn, workers[1]!], queue: [queue[0]!] })
  t.deepEqual(next.to, ['AP-1 → b'])
})

test('a short wait for the holder beats a long copy; a long one does not, nor waiting for ever', (t) => {
  const running = { request: request({ task: 'PC2', sector: 9 }), elapsedMs: 30_000 }
  const busy = worker({
    id: 'b',
    paths: ['b-seal'],
    info: machine(PC2_TAKES_ALL),
    rest: { running: [running] },
  })
  busy.active.add(
    { request: running.request.id, counter: null },
    needsOf(resourceTable(PC2_TAKES_ALL), TASK.PC2, PROOF_32G),
    busy.info,
  )
  const scene = { ...SPREAD, workers: [SPREAD.workers[0], busy], windows: ['a'], queue: [PC2] }
  const held = { 'b-seal': ['sealed', 'cache'] } as const
  const soon = { taskMs: (task: string) => (task === TASK.PC2 ? 90_000 : null) }
  const short = decided({ ...scene, held, experience: soon })
  t.deepEqual(short.to, [])
  t.regex(short.reasons.a ?? '', /^waits for b: free in 60\.0 s/)
  t.regex(short.reasons.b ?? '', /windows are full/)
  t.deepEqual(decided({ ...scene, held, experience: { taskMs: () => 9e6 } }).to, ['PC2-1 → a'])
  t.deepEqual(decided({ ...scene, held, experience: soon, monotonicMs: 9e6 }).to, ['PC2-1 → a'])
  const own = { ...BUILT_IN_POLICY, compare: () => 0 }
  const forced = decide(snapshot({ ...scene, held, experience: soon }), own)
  t.is(forced.assignments.length, 1, 'an own compare is not overruled')
})

test('nobody waits for a worker that is only quicker and has a window open', (t) => {
  // By bytes a comes first: it copies more, but nothing goes over the network.
  const paths = [path('seal', seal()), path('a-store', store), path('b-store', store)]
  const workers = [
    worker({ id: 'a', machine: 'm', paths: ['a-store'] }),
    worker({ id: 'b', paths: ['b-store'] }),
    worker({ id: 'holder', machine: 'm', paths: ['seal'], tasks: [] }),
  ]
  const bytesPerSecond = (tier: string) => (tier === 'copy' ? 1 : 1e9)
  const held = { seal: ['sealed', 'cache'] } as const
  const found = decided({ workers, paths, held, queue: [getOf()], experience: { bytesPerSecond } })
  t.deepEqual(found.to, ['GET-1 → a'])
})

test('the log of a round has the field’s words', (t) => {
  const queue = [request({ task: 'GET', sector: 40 })]
  const workers = [worker({ id: 'a' }), worker({ id: 'b' })]
  const { lines } = decided({ workers, queue, windows: ['a', 'b'] })
  const idle = '{allocated:{memUsedMin:0 memUsedMax:0 gpuUsed:false cpuUse:0 cond:<nil>} todo:[]}'
  t.deepEqual(lines, [
    'SCHED 1 queued; 2 open windows',
    `SCHED windows: [${idle} ${idle}]`,
    'SCHED Acceptable win: [[0 1]]',
    'SCHED try assign sqi:0 sector 40 to window 0',
    'SCHED ASSIGNED sqi:0 sector 40 task seal/v0/fetch to window 0',
  ])
})

test('an own accept and compare are asked, and what they say is shown', (t) => {
  const workers = ['a', 'b', 'c'].map((id) => worker({ id }))
  const scene = snapshot({ workers, queue: [request({ task: 'C2' })] })
  const policy = {
    accept: (each: { id: string }) => (each.id === 'c' ? 'not on c today' : true),
    compare: (one: { window: number }, other: { window: number }) => other.window - one.window,
  }
  const { assignments, decisions } = decide(scene, policy)
  t.is(assignments[0]?.window, 3)
  t.is(decisions[0]?.windows.find((each) => each.worker === 'c')?.reason, 'not on c today')
  const broken = {
    ...BUILT_IN_POLICY,
    accept: () => {
      throw new Error('boom')
    },
  }
  t.is(decide(scene, broken).decisions[0]?.windows[0]?.reason, "the policy's accept failed: boom")
})
