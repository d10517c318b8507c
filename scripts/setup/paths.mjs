/** Where things are, seen from the top of the repository. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const TOP = fileURLToPath(new URL('../..', import.meta.url))

export const at = (...parts) => join(TOP, ...parts)

/** Logs of the steps, kept for whoever wants to know more than the last lines. */
export const LOGS = at('build', 'logs')
export const STAMPS = at('build', 'stamps')

/** Cargo's output for the addon's workspace; CARGO_TARGET_DIR is respected. */
export const TARGET = process.env.CARGO_TARGET_DIR || at('target')

/** What is kept between clones: the prover takes minutes to build. */
export const CACHE =
  process.env.SEALYARD_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sealyard')

export const ADDON = at('build', `sealyard.linux-${process.arch}-gnu.node`)
export const PROVER_MANIFEST = at('crates', 'prover', 'Cargo.toml')
