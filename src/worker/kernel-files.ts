import { readdir, readFile } from 'node:fs/promises'

/** The kernel's files, or a test's. */
export interface KernelFiles {
  /** null when there is no such file. */
  read(path: string): Promise<string | null>
  list(path: string): Promise<string[]>
}

export const kernelFiles: KernelFiles = {
  read: (path) => readFile(path, 'utf8').catch(() => null),
  list: (path) => readdir(path).catch(() => []),
}

/** Some kind of memory: how much there is, and how much of it is taken. */
export interface MemoryUse {
  readonly totalBytes: number
  readonly usedBytes: number
}
