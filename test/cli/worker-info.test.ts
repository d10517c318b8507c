import test from 'ava'
import { formatWorkerInfo } from '../../src/cli/worker-info.ts'
import type { WorkerApi } from '../../src/protocol/apis.ts'

/** What `info` asks for, of a worker with two paths. */
function workerThat(chosen: 'auto' | 'buffered'): WorkerApi {
  const resources = { CPUs: 2, GPUs: [], MemUsed: 0, MemPhysical: 0, MemSwapUsed: 0, MemSwap: 0 }
  const path = (ID: string) => ({ ID, Weight: 10, LocalPath: `/mnt/${ID}`, CanSeal: true, CanStore: false })
  const calls: Partial<Record<keyof WorkerApi, () => Promise<unknown>>> = {
    Version: async () => 0x10700,
    ProcessSession: async () => 'session',
    Enabled: async () => true,
    Info: async () => ({ Hostname: 'host', Resources: resources }),
    TaskTypes: async () => ({}),
    Paths: async () => [path('disk'), path('silent')],
    NodeInfo: async () => ({ executor: 'shape' }),
    CopyEngines: async () => ({ chosen, paths: [{ id: 'disk', engines: ['direct', 'buffered'] }] }),
  }
  return calls as unknown as WorkerApi
}

test('info says how files are copied, and what works on each path', async (t) => {
  const auto = await formatWorkerInfo(workerThat('auto'), '1')
  t.regex(auto, /^Copies: auto: direct from the disk, uncached from memory, else buffered$/m)
  t.regex(auto, /Local: \/mnt\/disk\n\tCopies: direct buffered\n/)
  t.regex(auto, /Local: \/mnt\/silent\n\tCopies: could not be tried\n/)
  t.regex(await formatWorkerInfo(workerThat('buffered'), '1'), /^Copies: buffered$/m)
})
