import { lstat, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { durably } from '../base/durable-steps.ts'
import { syncDirectory } from '../base/write-durably.ts'
import type { TaskCode } from '../sectors/task-types.ts'

/**
 * Brings what a task has made to the disk, before a record or a result says that it is there: after a power cut a
 * layer of full length with nothing in it would be taken for whole, and comm_r would go on chain without its data.
 * One file after the other: each waits in a thread that the rest of the process needs too.
 */
export function makeDurable(task: TaskCode, paths: readonly string[]): Promise<void> {
  return durably('task.files-synced', () => syncAll(paths), task)
}

async function syncAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if ((await lstat(path)).isDirectory()) {
      for (const name of await readdir(path)) await syncFile(join(path, name))
      await syncDirectory(path)
    } else {
      await syncFile(path)
    }
    await syncDirectory(dirname(path))
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
