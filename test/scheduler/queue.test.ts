import test from 'ava'
import { RequestQueue } from '../../src/scheduler/decide/queue.ts'
import type { TaskRequest } from '../../src/scheduler/decide/request.ts'
import type { TaskCode } from '../../src/sectors/task-types.ts'
import { request } from './decide-tables.ts'

function ordered(...requests: readonly TaskRequest[]): string[] {
  const queue = new RequestQueue<TaskRequest>()
  for (const each of requests) queue.push(each)
  return queue.list().map((each) => each.id)
}

test('later phases come first, then older sectors', (t) => {
  const tasks: TaskCode[] = ['PC1', 'AP', 'PC2', 'C1', 'C2', 'UNS']
  t.deepEqual(ordered(...tasks.map((task) => request({ task })), request({ task: 'PC2', sector: 0 })), [
    'UNS-1',
    'C1-1',
    'C2-1',
    'PC2-0',
    'PC2-1',
    'PC1-1',
    'AP-1',
  ])
})

test('priority goes before the phase, but not before what is urgent by its nature', (t) => {
  const prior = request({ task: 'AP', sector: 7, priority: 1024 })
  t.deepEqual(ordered(request({ task: 'PC2' }), prior, request({ task: 'GET' }), request({ task: 'FIN' })), [
    'FIN-1',
    'GET-1',
    'AP-7',
    'PC2-1',
  ])
})

test('taking one out keeps the order of the others', (t) => {
  const queue = new RequestQueue<TaskRequest>()
  for (const task of ['PC2', 'PC1', 'C1'] as const) queue.push(request({ task }))
  t.is(queue.remove('PC2-1')?.task, 'seal/v0/precommit/2')
  t.is(queue.remove('PC2-1'), null)
  t.deepEqual(
    queue.list().map((each) => each.id),
    ['C1-1', 'PC1-1'],
  )
})
