/** Where things are, seen from the top of the repository. */
import { accessSync, constants, copyFileSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const TOP = fileURLToPath(new URL('../..', import.meta.url))

export const at = (...parts) => join(TOP, ...parts)

/** Logs of the steps, kept for whoever wants to know more than the last lines. */
export const LOGS = at('build', 'logs')
export const STAMPS = at('build', 'stamps')

/** Cargo's output for the addon's workspace; CARGO_TARGET_DIR is respected. */
export const TARGET = resolve(process.env.CARGO_TARGET_DIR || at('target'))

/** Whether files can be made in a directory, which is made if it is missing. */
function isWritable(directory) {
  try {
    mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Below `build` where a read-only home directory has no room for it: made again for each clone, but made. */
const writable = (preferred, name) => (isWritable(preferred) ? preferred : at('build', 'home', name))

/** What is kept between clones: the prover takes minutes to build. */
export const CACHE = process.env.SEALYARD_CACHE
  ? resolve(process.env.SEALYARD_CACHE)
  : writable(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sealyard'), 'sealyard')

/** Points cargo and npm, whoever starts them, at places they can write to. */
function movePackageCaches() {
  const cargo = process.env.CARGO_HOME || join(homedir(), '.cargo')
  const usable = writable(cargo, 'cargo')
  if (usable !== cargo) {
    process.env.CARGO_HOME = usable
    mkdirSync(usable, { recursive: true })
    try {
      // It may name the mirror that this network has.
      copyFileSync(join(cargo, 'config.toml'), join(usable, 'config.toml'))
    } catch {
      // Most have none.
    }
  }
  const npm = process.env.npm_config_cache || join(homedir(), '.npm')
  process.env.npm_config_cache = writable(npm, 'npm')
}

movePackageCaches()

export const ADDON = at('build', `sealyard.linux-${process.arch}-gnu.node`)
export const PROVER_MANIFEST = at('crates', 'prover', 'Cargo.toml')
