import { scanPath } from '../storage/scan-path.ts'
import { isUuid, readStorageMeta } from '../storage/sector-store.ts'
import { terminal } from './program.ts'

/** Names told of one type directory; the node's log has as many. */
const NAMES_TOLD = 10

/**
 * Tells who attached or redeclared paths what the node passed over, which it says only in its log. A directory
 * that this user or this machine cannot read is passed over in silence: the node itself could.
 */
export async function tellOddities(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    const words = await odditiesOf(directory).catch(() => [])
    for (const each of words) terminal.stderr.write(`warning: ${each}\n`)
  }
}

/** What is odd about a storage path, but no reason to refuse it. @throws what reading it throws */
export async function odditiesOf(directory: string): Promise<string[]> {
  const { ID } = await readStorageMeta(directory)
  const words = isUuid(ID)
    ? []
    : [`the ID '${ID}' of ${directory} is no UUID: no other path may ever have it`]
  for (const { type, foreign } of await scanPath(directory)) {
    if (foreign.length === 0) continue
    const names = foreign.slice(0, NAMES_TOLD).join(', ')
    const more = foreign.length > NAMES_TOLD ? `, … (${foreign.length} in all)` : ''
    words.push(`skipped what is no ${type} file in ${directory}/${type}: ${names}${more}`)
  }
  return words
}
