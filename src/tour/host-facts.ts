import { constants } from 'node:fs'
import { copyFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { formatBytes } from '../base/bytes.ts'
import { hostAbilities } from '../storage/host-abilities.ts'

/** What this host lacks that a sealing host may have; nothing here stops the tour. */
export async function hostNotes(directory: string): Promise<string[]> {
  const { ioUring, root, kernel } = hostAbilities()
  const notes = [`host: ${cpus().length} processors, ${formatBytes(totalmem())} of memory, Linux ${kernel}`]
  if (!(await canReflink(directory))) {
    notes.push('no reflink on this filesystem: between paths where a rename does not do, bytes are copied')
  }
  if (!ioUring) notes.push('no io_uring for this process: copies use ordinary reads and writes')
  if (!root) notes.push('not root: nothing in the tour needs it')
  return notes
}

async function canReflink(directory: string): Promise<boolean> {
  const source = join(directory, 'reflink-source')
  const target = join(directory, 'reflink-target')
  await writeFile(source, 'reflink?')
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE)
    return true
  } catch {
    return false
  } finally {
    await Promise.all([rm(source, { force: true }), rm(target, { force: true })])
  }
}

/** @returns `wanted` when nobody listens there, else a free port */
export async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0)) ?? wanted
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null))
    })
  })
}
