import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { durably } from '../base/durable-steps.ts'
import { errorCode } from '../base/errors.ts'
import { writeDurably } from '../base/write-durably.ts'

// A node that comes back under another address attaches its paths with a new URL, and the index, which tells nodes
// apart by nothing but their URLs, goes on offering the old one. Only the node itself knows that both are its own.

const FILE = 'remote-url'

/** The base URL under which an earlier run of this node served its paths; null when it is the same, or the first. */
export async function formerUrl(repo: string, url: string): Promise<string | null> {
  try {
    const kept = (await readFile(join(repo, FILE), 'utf8')).trim()
    return kept === '' || kept === url ? null : kept
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}

/** Once the index knows the paths under the new one: a stop before that finds the old one still to be taken back. */
export async function keepUrl(repo: string, url: string): Promise<void> {
  await durably('paths.url-kept', () => writeDurably(join(repo, FILE), `${url}\n`))
}
