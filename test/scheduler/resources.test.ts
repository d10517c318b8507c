import test from 'ava'
import { isSealyardError } from '../../src/base/errors.ts'
import { asOverrides, needsOf, resourceTable } from '../../src/scheduler/resources.ts'
import { TASK } from '../../src/sectors/task-types.ts'

const GIB = 2 ** 30

test('lotus’ numbers stand when nothing is overridden', (t) => {
  const table = resourceTable({})
  t.deepEqual(needsOf(table, TASK.PC1, 8), {
    MinMemory: 56 * GIB,
    MaxMemory: 64 * GIB,
    GPUUtilization: 0,
    MaxParallelism: 1,
    MaxParallelismGPU: 0,
    BaseMinMemory: 10 * 2 ** 20,
    MaxConcurrent: 0,
  })
  t.is(needsOf(table, TASK.C2, 9).MaxMemory, 190 * GIB)
  t.is(needsOf(table, TASK.FIN, 8).MaxMemory, 0)
})

test('a sized override applies to all variants of its size, and not to the default table', (t) => {
  const env = {
    UNS_2K_MAX_PARALLELISM: '2',
    PC2_2K_GPU_UTILIZATION: '0.4',
    PC2_2K_MAX_MEMORY: '2222',
  }
  const table = resourceTable(env)
  for (const proof of [0, 5, 10]) {
    t.is(needsOf(table, TASK.UNS, proof).MaxParallelism, 2)
    t.is(needsOf(table, TASK.PC2, proof).GPUUtilization, 0.4)
    t.is(needsOf(table, TASK.PC2, proof).MaxMemory, 2222)
  }
  t.is(needsOf(resourceTable({}), TASK.PC2, 5).MaxMemory, 2048)
})

test('an unsized override sets all sizes, and a sized one beats it', (t) => {
  const table = resourceTable({ PC1_MAX_CONCURRENT: '8', PC1_32G_MAX_CONCURRENT: '3' })
  t.is(needsOf(table, TASK.PC1, 5).MaxConcurrent, 8)
  t.is(needsOf(table, TASK.PC1, 9).MaxConcurrent, 8)
  t.is(needsOf(table, TASK.PC1, 8).MaxConcurrent, 3)
})

test('multicore SDR gives PC1 and UNS its producers and one more', (t) => {
  const three = resourceTable({ FIL_PROOFS_USE_MULTICORE_SDR: '1' })
  t.is(needsOf(three, TASK.PC1, 8).MaxParallelism, 4)
  t.is(needsOf(three, TASK.UNS, 5).MaxParallelism, 4)
  t.is(needsOf(three, TASK.PC2, 8).MaxParallelism, -1)
  const many = resourceTable({
    FIL_PROOFS_USE_MULTICORE_SDR: '1',
    FIL_PROOFS_MULTICORE_SDR_PRODUCERS: '9000',
  })
  t.is(needsOf(many, TASK.PC1, 8).MaxParallelism, 9001)
})

test('NI-PoRep has no entries, and so no needs', (t) => {
  t.is(needsOf(resourceTable({ PC1_MAX_MEMORY: '5' }), TASK.PC1, 18).MaxMemory, 0)
})

for (const value of ['64G', '-2', '1.5', 'nonsense']) {
  test(`refuses PC1_32G_MIN_MEMORY=${value} and says which it was`, (t) => {
    const error = t.throws(() => resourceTable({ PC1_32G_MIN_MEMORY: value }), {
      message: /^PC1_32G_MIN_MEMORY=/,
    })
    t.true(isSealyardError(error, 'BAD_RESOURCE'))
  })
}

test('a table is printed as the overrides that would make it', (t) => {
  const env = { PC2_32G_GPU_UTILIZATION: '0.5', GET_32G_MAX_CONCURRENT: '2' }
  const printed = asOverrides(resourceTable(env))
  t.is(printed.get('PC2_32G_GPU_UTILIZATION'), 0.5)
  t.is(printed.get('GET_32G_MAX_CONCURRENT'), 2)
  t.is(printed.size, 14 * 5 * 7)
  const again = Object.fromEntries([...printed].map(([name, value]) => [name, String(value)]))
  t.deepEqual(resourceTable(again), resourceTable(env))
})
