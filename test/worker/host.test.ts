import test from 'ava'
import { hostResources } from '../../src/worker/host.ts'
import type { KernelFiles } from '../../src/worker/kernel-files.ts'

const GIB = 2 ** 30
const MEMINFO = `MemTotal:       ${64 * 2 ** 20} kB
MemFree:        ${2 * 2 ** 20} kB
MemAvailable:   ${48 * 2 ** 20} kB
SwapTotal:      ${8 * 2 ** 20} kB
SwapFree:       ${7 * 2 ** 20} kB
`

function kernel(files: Record<string, string>): KernelFiles {
  const all: Record<string, string> = { '/proc/meminfo': MEMINFO, ...files }
  return {
    read: async (path) => all[path] ?? null,
    list: async (directory) => [
      ...new Set(
        Object.keys(all)
          .filter((path) => path.startsWith(`${directory}/`))
          .map((path) => path.slice(directory.length + 1).split('/')[0] ?? ''),
      ),
    ],
  }
}

const memoryOf = async (files: Record<string, string>, noSwap = false) => {
  const { MemPhysical, MemUsed, MemSwap, MemSwapUsed } = await hostResources(noSwap, kernel(files))
  return [MemPhysical, MemUsed, MemSwap, MemSwapUsed].map((bytes) => bytes / GIB)
}

test('without a control group the machine counts, and the page cache is not used memory', async (t) => {
  t.deepEqual(await memoryOf({}), [64, 16, 8, 1])
  t.deepEqual(await memoryOf({}, true), [64, 16, 0, 0], 'swap that is not to be used')
})

test('a limit of cgroup v2 counts, the tightest on the way up', async (t) => {
  const group = '/sys/fs/cgroup/seal.slice'
  const files = {
    '/proc/self/cgroup': '0::/seal.slice/worker.service\n',
    [`${group}/memory.max`]: `${32 * GIB}\n`,
    [`${group}/memory.current`]: `${20 * GIB}\n`,
    [`${group}/memory.stat`]: `anon 5\ninactive_file ${12 * GIB}\n`,
    [`${group}/memory.swap.max`]: '0\n',
    [`${group}/memory.swap.current`]: '0\n',
    [`${group}/worker.service/memory.max`]: 'max\n',
    [`${group}/worker.service/memory.swap.max`]: 'max\n',
  }
  t.deepEqual(await memoryOf(files), [32, 8, 0, 0])
})

test('a limit above what the machine has is none', async (t) => {
  const files = {
    '/proc/self/cgroup': '0::/\n',
    '/sys/fs/cgroup/memory.max': `${512 * GIB}\n`,
    '/sys/fs/cgroup/memory.current': `${GIB}\n`,
  }
  t.deepEqual(await memoryOf(files), [64, 16, 8, 1])
})

test('cgroup v1 limits memory and swap together', async (t) => {
  const group = '/sys/fs/cgroup/memory'
  const files = {
    '/proc/self/cgroup': '12:cpu,cpuacct:/x\n9:memory:/docker/abc\n0::/docker/abc\n',
    [`${group}/memory.limit_in_bytes`]: `${16 * GIB}\n`,
    [`${group}/memory.usage_in_bytes`]: `${6 * GIB}\n`,
    [`${group}/memory.stat`]: `cache 1\ntotal_inactive_file ${2 * GIB}\n`,
    [`${group}/memory.memsw.limit_in_bytes`]: `${20 * GIB}\n`,
    [`${group}/memory.memsw.usage_in_bytes`]: `${7 * GIB}\n`,
  }
  t.deepEqual(await memoryOf(files), [16, 4, 4, 1])
})

test('cgroup v1 without a limit says 2^63 less a page', async (t) => {
  const files = {
    '/proc/self/cgroup': '9:memory:/\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${6 * GIB}\n`,
  }
  t.deepEqual(await memoryOf(files), [64, 16, 8, 1])
})

test('graphics cards are told by the driver, one name per card', async (t) => {
  const card = 'Model: \t\t NVIDIA A10\nIRQ:   \t\t 33\n'
  const files = {
    '/proc/driver/nvidia/gpus/0000:01:00.0/information': card,
    '/proc/driver/nvidia/gpus/0000:02:00.0/information': card.replace('A10', 'L4'),
  }
  t.deepEqual((await hostResources(false, kernel(files))).GPUs, ['NVIDIA A10', 'NVIDIA L4'])
  t.deepEqual((await hostResources(false, kernel({}))).GPUs, [])
})

test('this very host tells something that makes sense', async (t) => {
  const host = await hostResources(false)
  t.true(host.MemPhysical > 2 ** 26)
  t.true(host.MemUsed > 0 && host.MemUsed < host.MemPhysical)
  t.true(host.CPUs >= 1)
})
