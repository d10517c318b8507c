import test from 'ava'
import type { TaskRequest } from '../../src/scheduler/decide/request.ts'
import { compactWindows, openedWindow } from '../../src/scheduler/decide/windows.ts'
import type { TaskCode } from '../../src/sectors/task-types.ts'
import { machine, PC2_TAKES_ALL, request } from './decide-tables.ts'

const info = machine(PC2_TAKES_ALL)

const CASES: readonly {
  readonly title: string
  readonly before: TaskCode[][]
  readonly after: TaskCode[][]
}[] = [
  { title: 'two PC1 share a window', before: [['PC1'], ['PC1']], after: [['PC1', 'PC1']] },
  {
    title: 'a full window takes no third',
    before: [['PC1', 'PC1'], ['PC1']],
    after: [['PC1', 'PC1'], ['PC1']],
  },
  { title: 'PC2 stays apart', before: [['PC1'], ['PC2']], after: [['PC1'], ['PC2']] },
  {
    title: 'AP goes ahead of a PC1 that does not fit',
    before: [
      ['PC1', 'PC1'],
      ['PC1', 'AP'],
    ],
    after: [['PC1', 'PC1', 'AP'], ['PC1']],
  },
  {
    title: 'room that came free is taken by the window behind',
    before: [['PC1'], ['PC1', 'PC1'], ['PC1']],
    after: [
      ['PC1', 'PC1'],
      ['PC1', 'PC1'],
    ],
  },
]

const windowOf = (codes: readonly TaskCode[], at: number) =>
  openedWindow<TaskRequest>(
    codes.map((task, index) => request({ task, id: `${task}-${at}-${index}` })),
    info,
  )

for (const { title, before, after } of CASES) {
  test(`windows are compacted: ${title}`, (t) => {
    const left = compactWindows(before.map(windowOf), info)
    t.deepEqual(
      left.map((window) => window.todo.map((task) => task.id.split('-')[0])),
      after,
    )
    for (const window of left) {
      const fresh = openedWindow(window.todo, info).allocated
      t.deepEqual(
        [window.allocated.memUsedMin, window.allocated.memUsedMax, window.allocated.cpuUse],
        [fresh.memUsedMin, fresh.memUsedMax, fresh.cpuUse],
      )
    }
  })
}
