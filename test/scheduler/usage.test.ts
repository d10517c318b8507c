import test from 'ava'
import { counterOf, TaskCounts, Usage } from '../../src/scheduler/decide/usage.ts'
import { needsOf, resourceTable } from '../../src/scheduler/resources.ts'
import { TASK, type TaskCode } from '../../src/sectors/task-types.ts'
import { GIB, machine, PC2_TAKES_ALL, PROOF_32G } from './decide-tables.ts'

const by = (request: string, code: TaskCode) => ({ request, counter: counterOf(PROOF_32G, TASK[code]) })
const needs = (code: TaskCode, env = {}) => needsOf(resourceTable(env), TASK[code], PROOF_32G)

function filled(codes: readonly TaskCode[], info = machine()): Usage {
  const usage = new Usage()
  for (const [index, code] of codes.entries()) usage.add(by(`${code}${index}`, code), needs(code), info)
  return usage
}

test('two 32 GiB PC1 fit lotus’ reference machine, a third does not', (t) => {
  t.is(filled(['PC1']).refusal(by('x', 'PC1'), needs('PC1'), machine()), null)
  t.is(filled(['PC1', 'PC1']).refusal(by('x', 'PC1'), needs('PC1'), machine()), 'not enough memory')
})

test('a PC2 that takes all cores and a PC1 exclude each other', (t) => {
  const info = machine(PC2_TAKES_ALL)
  t.is(filled(['PC1'], info).refusal(by('x', 'PC2'), needs('PC2', PC2_TAKES_ALL), info), 'not enough cores')
})

test('−1 thread stands for 92 % of the cores, and for all of one', (t) => {
  const usage = filled(['PC2'])
  t.is(usage.cpuUse, 29)
  const info = machine()
  const small = { ...info, Resources: { ...info.Resources, CPUs: 1 } }
  const one = new Usage()
  one.add(by('x', 'PC2'), needs('PC2'), small)
  t.is(one.cpuUse, 1)
})

test('with a GPU a PC2 takes few threads and the GPU', (t) => {
  const info = machine()
  const gpu = { ...info, Resources: { ...info.Resources, GPUs: ['a'] } }
  const usage = new Usage()
  usage.add(by('x', 'PC2'), needs('PC2'), gpu)
  t.is(usage.cpuUse, 6)
  t.is(usage.refusal(by('y', 'PC2'), needs('PC2'), gpu), 'no free GPU')
})

test('swap counts only for what a task may need at most', (t) => {
  const info = machine()
  const noSwap = { ...info, Resources: { ...info.Resources, MemSwap: 0, MemUsed: 100 * GIB } }
  t.is(new Usage().refusal(by('x', 'PC1'), needs('PC1'), noSwap), 'not enough memory and swap')
})

test('a machine that ignores resources takes all, up to MaxConcurrent', (t) => {
  const info = { ...machine(), IgnoreResources: true }
  const limited = { ...needs('PC1'), MaxConcurrent: 3 }
  t.is(filled(['PC1', 'PC1']).refusal(by('x', 'PC1'), limited, info), null)
  const three = filled(['PC1', 'PC1', 'PC1'], info)
  t.is(three.refusal(by('x', 'PC1'), limited, info), 'already 3 of at most 3 at once')
})

test('one request in two accounts of a worker counts once', (t) => {
  const counts = new TaskCounts()
  const [active, preparing] = [new Usage(counts), new Usage(counts)]
  const once = { ...needs('GET'), MaxConcurrent: 1 }
  preparing.add(by('x', 'GET'), once, machine())
  t.is(active.refusal(by('x', 'GET'), once, machine()), null)
  t.not(active.refusal(by('y', 'GET'), once, machine()), null)
})

test('what is added and freed again leaves nothing', (t) => {
  const usage = filled(['PC1', 'PC2'])
  usage.free(by('PC10', 'PC1'), needs('PC1'), machine())
  usage.free(by('PC21', 'PC2'), needs('PC2'), machine())
  t.deepEqual([usage.memUsedMin, usage.memUsedMax, usage.gpuUsed, usage.cpuUse], [0, 0, 0, 0])
  t.deepEqual(usage.counts.toJSON(), {})
})
