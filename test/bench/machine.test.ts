import { tmpdir } from 'node:os'
import test from 'ava'
import { cpuSeconds } from '../../src/bench/cpu.ts'
import { describeFilesystem, describeMachine } from '../../src/bench/machine.ts'

test('the machine is described by what decides a speed', (t) => {
  const machine = describeMachine()
  t.true(machine.cores >= 1)
  t.true(machine.memoryBytes > 0)
  t.regex(machine.kernel, /^\d+\.\d+/)
  t.not(machine.congestionControl, '')
})

test('a directory is on the filesystem with the longest mount point above it', (t) => {
  t.is(describeFilesystem('/proc/self').type, 'proc')
  const { type, device, directory } = describeFilesystem(tmpdir())
  t.not(type, 'unknown')
  t.not(device, 'unknown')
  t.true(directory.startsWith('/'))
  t.throws(() => describeFilesystem('/nowhere'), { code: 'ENOENT' })
})

test('the CPU time of a process only grows, and its children add to it', (t) => {
  const before = cpuSeconds('self', false)
  t.true(before > 0)
  t.true(cpuSeconds(process.pid, true) >= before)
})
