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

/**
 * A path inside another is legal, and common in the field (`/mnt/a`, `/mnt/a/store`); but a quota of the outer one
 * counts what lies in the inner one, and to unmount or remove the outer takes the inner with it.
 */
export function tellNesting(directory: string, attached: readonly string[]): void {
  const words = nestingOf(directory, attached)
  if (words !== null) terminal.stderr.write(`warning: ${words}\n`)
}

/**
 * @param attached directories of the node's other paths
 * @returns null when none lies inside the other
 */
export function nestingOf(directory: string, attached: readonly string[]): string | null {
  const others = attached.filter((other) => other !== directory)
  const outer = others.filter((other) => isBelow(directory, other))
  const inner = others.filter((other) => isBelow(other, directory))
  if (outer.length + inner.length === 0) return null
  const facts = [
    ...(outer.length > 0 ? [`lies inside ${outer.join(', ')}`] : []),
    ...(inner.length > 0 ? [`has ${inner.join(', ')} inside it`] : []),
  ]
  return (
    `${directory} ${facts.join(' and ')}, attached too: both work, ` +
    'but a quota of the outer path counts what lies in the inner one'
  )
}

function isBelow(inner: string, outer: string): boolean {
  return inner.startsWith(outer.endsWith('/') ? outer : `${outer}/`)
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
