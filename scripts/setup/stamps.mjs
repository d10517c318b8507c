/**
 * Content hashes of sources: a step runs when the hash of what it reads differs from the one it left behind.
 * Not mtimes: a git checkout sets those at will.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { at, STAMPS, TOP } from './paths.mjs'

const NOT_SOURCE = new Set(['target', 'node_modules', '.git'])

/** @returns every file below `path` (or `path` itself), sorted; nothing when it does not exist */
export function filesBelow(path, accept = () => true) {
  let entries
  try {
    entries = readdirSync(path, { withFileTypes: true })
  } catch (error) {
    if (error.code === 'ENOTDIR') return accept(path) ? [path] : []
    if (error.code === 'ENOENT') return []
    throw error
  }
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (NOT_SOURCE.has(entry.name) ? [] : filesBelow(join(path, entry.name), accept)))
}

/** SHA-256 over names and contents of files, and over what else matters (a compiler's version). */
export function hashOf(paths, { accept, also = '' } = {}) {
  const hash = createHash('sha256').update(also)
  for (const file of paths.flatMap((path) => filesBelow(at(path), accept))) {
    hash.update(`\0${relative(TOP, file)}\0`).update(readFileSync(file))
  }
  return hash.digest('hex')
}

/** @returns the hash that the step left when it last succeeded, or null */
export function readStamp(name) {
  try {
    return readFileSync(join(STAMPS, name), 'utf8').trim()
  } catch {
    return null
  }
}

export function writeStamp(name, hash) {
  mkdirSync(STAMPS, { recursive: true })
  const file = join(STAMPS, name)
  writeFileSync(`${file}.${process.pid}`, `${hash}\n`)
  renameSync(`${file}.${process.pid}`, file)
}
