import test from 'ava'
import { DownloadLimits } from '../../src/storage/download-limits.ts'
import { STORAGE_DEFAULTS } from '../../src/storage/parts.ts'

const never = new AbortController().signal

/** Work that runs until it is told to end. */
function held() {
  let end: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    end = resolve
  })
  let isRunning = false
  const work = () => {
    isRunning = true
    return promise
  }
  return { work, end, isRunning: () => isRunning }
}

test('more downloads begin as soon as more are allowed', async (t) => {
  const limits = new DownloadLimits({ ...STORAGE_DEFAULTS, parallelFetchLimit: 1, fetchRate: 1000 })
  t.deepEqual(limits.now(), { fetches: 1, bytesPerSecond: 1000, bytesPerSecondPerPeer: 0 })
  const downloads = [held(), held(), held()]
  const running = downloads.map(({ work }) => limits.run(work, never))
  const begun = () => downloads.map(({ isRunning }) => isRunning())
  await new Promise(setImmediate)
  t.deepEqual(begun(), [true, false, false])
  limits.set({ fetches: 2, bytesPerSecond: 0, bytesPerSecondPerPeer: 0 })
  await new Promise(setImmediate)
  t.deepEqual(begun(), [true, true, false])
  limits.set({ fetches: 1, bytesPerSecond: 0, bytesPerSecondPerPeer: 0 })
  downloads[0]?.end()
  await running[0]
  t.deepEqual(begun(), [true, true, false], 'one still runs')
  downloads[1]?.end()
  downloads[2]?.end()
  await Promise.all(running)
})

test('what is no limit is refused and changes nothing', (t) => {
  const limits = new DownloadLimits(STORAGE_DEFAULTS)
  const before = limits.now()
  for (const wrong of [
    { fetches: 0 },
    { fetches: 1.5 },
    { bytesPerSecond: -1 },
    { bytesPerSecondPerPeer: 0.5 },
  ])
    t.throws(() => limits.set({ ...before, ...wrong }), { code: 'BAD_LIMIT' })
  t.deepEqual(limits.now(), before)
})
