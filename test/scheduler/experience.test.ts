import test from 'ava'
import { Experiences } from '../../src/scheduler/experience.ts'
import { TASK } from '../../src/sectors/task-types.ts'
import { GIB } from './decide-tables.ts'

test('what was measured stands in for the guess, small moves aside', (t) => {
  const experience = new Experiences()
  const guess = experience.bytesPerSecond('network')
  experience.noteMoves({ networkBytes: 1000, copiedBytes: 0 }, 1000)
  t.is(experience.bytesPerSecond('network'), guess)
  experience.noteMoves({ networkBytes: GIB, copiedBytes: 0 }, 2000)
  t.is(experience.bytesPerSecond('network'), GIB / 2)
  experience.noteMoves({ networkBytes: GIB, copiedBytes: GIB }, 1)
  t.is(experience.bytesPerSecond('network'), GIB / 2)
  experience.noteMoves({ networkBytes: 0, copiedBytes: GIB }, 1000)
  t.is(experience.bytesPerSecond('copy'), GIB)
})

test('a move that took no time teaches nothing', (t) => {
  const experience = new Experiences()
  experience.noteMoves({ networkBytes: GIB, copiedBytes: 0 }, 0)
  t.true(Number.isFinite(experience.bytesPerSecond('network')))
})

test('durations are kept by task and proof type; newer ones weigh in', (t) => {
  const experience = new Experiences()
  t.is(experience.taskMs(TASK.PC2, 8), null)
  experience.noteTask(TASK.PC2, 8, 100)
  experience.noteTask(TASK.PC2, 8, 200)
  t.is(experience.taskMs(TASK.PC2, 8), 125)
  t.is(experience.taskMs(TASK.PC2, 5), null)
})
