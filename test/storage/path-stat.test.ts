import test from 'ava'
import { pathStat } from '../../src/storage/path-stat.ts'

const disk = { capacityBytes: 1000, availableBytes: 600, maxBytes: 0, usedBytes: 0 }

test('what has landed of a reservation is no longer reserved', (t) => {
  const reserved = [
    { reportedBytes: 100, onDiskBytes: 30 },
    { reportedBytes: 50, onDiskBytes: 80 },
  ]
  t.deepEqual(pathStat({ ...disk, reserved }), {
    Capacity: 1000,
    Available: 530,
    FSAvailable: 600,
    Reserved: 70,
    Max: 0,
    Used: 0,
  })
})

test('promises never make the available space negative', (t) => {
  t.is(pathStat({ ...disk, reserved: [{ reportedBytes: 5000, onDiskBytes: 0 }] }).Available, 0)
})

test('a quota limits what is available, and is shown with what it is used for', (t) => {
  const stat = pathStat({ ...disk, reserved: [], maxBytes: 200, usedBytes: 150 })
  t.is(stat.Available, 50)
  t.is(stat.Max, 200)
  t.is(stat.Used, 150)
  t.is(pathStat({ ...disk, reserved: [], maxBytes: 200, usedBytes: 300 }).Available, 0)
})
