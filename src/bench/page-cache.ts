import { createReadStream } from 'node:fs'
import { freemem } from 'node:os'
import { findProgram, run } from './programs.ts'

/** Makes a clean file leave the page cache; what this does not work on (tmpfs) stays there. */
export async function dropCached(path: string, signal: AbortSignal): Promise<void> {
  // dd is how a shell reaches posix_fadvise(DONTNEED); with count=0 nothing is written.
  await run('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'], signal)
}

/** Reads a file, so that its pages are in the cache. */
export async function warmUp(path: string, signal: AbortSignal): Promise<void> {
  for await (const _ of createReadStream(path, { highWaterMark: 2 ** 20, signal })) {
    // The reading is all that is wanted.
  }
}

/** Bytes of files that are in the page cache; null where `fincore` (util-linux) is missing. */
export async function cachedBytes(paths: readonly string[], signal: AbortSignal): Promise<number | null> {
  const fincore = findProgram('fincore')
  if (fincore === null) return null
  const lines = await run(fincore, ['--noheadings', '--raw', '--bytes', '-o', 'RES', ...paths], signal)
  const bytes = lines
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0)
  return Number.isSafeInteger(bytes) ? bytes : null
}

/**
 * Takes memory and gives it back. A virtual machine returns free memory to its host, and getting it again costs
 * seconds per GiB: without this, whoever uses the page cache first would pay for that, and look slow.
 */
export async function primeMemory(bytes: number, signal: AbortSignal): Promise<void> {
  const amount = Math.floor(Math.min(bytes, freemem() / 4))
  // Each block is kept, else the next one would be the same memory.
  const program = `const kept = []
    for (let at = 0; at < Number(process.argv[1]); at += 2 ** 26) kept.push(Buffer.alloc(2 ** 26, 1))`
  await run(process.execPath, ['-e', program, String(amount)], signal)
}
