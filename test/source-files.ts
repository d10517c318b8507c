import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The top of the repository, with a slash at its end. */
export const TOP = fileURLToPath(new URL('..', import.meta.url))

const NOT_SOURCE = new Set(['node_modules', 'target', 'build', 'dist', '.git', '.tour'])

/** Every source file below a directory of the repository, as paths from its top, sorted. */
export function filesBelow(directory: string, accept: (name: string) => boolean = () => true): string[] {
  return readdirSync(join(TOP, directory), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return NOT_SOURCE.has(entry.name) ? [] : filesBelow(path, accept)
      return accept(entry.name) ? [path] : []
    })
    .sort()
}

/** Names of the directories directly below one. */
export function roomsIn(directory: string): string[] {
  return readdirSync(join(TOP, directory), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !NOT_SOURCE.has(entry.name))
    .map((entry) => entry.name)
    .sort()
}

export function read(path: string): string {
  return readFileSync(join(TOP, path), 'utf8')
}

/** One import of a file of our own. */
export interface Import {
  readonly from: string
  readonly to: string
  /** `import type`: gone at run time. */
  readonly typeOnly: boolean
}

const IMPORT =
  /^\s*(?:import|export)\s+(type\s)?[^'"`;]*?\bfrom\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'\s*\)|^\s*import\s+'(\.[^']+)'/gm

/** The relative imports in one file's text, resolved against its path. */
export function importsIn(path: string, text: string): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => ({
    from: path,
    to: relative('.', join(dirname(path), match[2] ?? match[3] ?? match[4] ?? '')),
    typeOnly: match[1] !== undefined,
  }))
}
