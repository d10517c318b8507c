/**
 * Builds the prover (160 crates, minutes) and keeps it outside the clone by content hash, so that the next
 * clone of the same source takes a copy. What is in the cache was made here, by these lines.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { place } from './addon.mjs'
import { alone } from './lock.mjs'
import { at, CACHE, PROVER_MANIFEST } from './paths.mjs'
import { hashOf, readStamp, writeStamp } from './stamps.mjs'
import { cargoProgress, run } from './step.mjs'
import { rustVersion } from './tools.mjs'

const BINARIES = ['sealyard-prover', 'sealyard-params']
const ADVICE =
  'The prover did not compile. It needs a C compiler (cc), 2 GiB of free memory and 1 GiB of disk; then start again.'

const isSource = (file) => !file.endsWith('.md') && !/\/(tests|benches)\//.test(file)

const hash = () => hashOf(['crates/prover', 'crates/unsealed'], { accept: isSource })

/**
 * What the compiler and the processor add to the sources: blst's build script uses ADX when the building
 * machine has it, and such a binary dies on one without (a shared home directory would carry it there).
 */
function platform() {
  const adx = /^flags\s*:.*\badx\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
  return `${rustVersion()}\n${process.arch}\nadx ${adx}`
}

/** Cargo's output for the prover, shared by clones with the same dependencies; the tests use it too. */
export function proverTarget() {
  const dependencies = hashOf(['crates/prover/Cargo.lock'], { also: platform() }).slice(0, 16)
  return join(CACHE, 'prover', `target-${dependencies}`)
}

export const prover = {
  title: 'prover',
  isCurrent: () =>
    !existsSync(PROVER_MANIFEST) ||
    (readStamp('prover') === hash() && BINARIES.every((name) => existsSync(at('build', name)))),
  async make() {
    const wanted = hash()
    const kept = join(CACHE, 'prover', hashOf([], { also: `${wanted}\n${platform()}` }).slice(0, 32))
    // Clones share cargo's output: one must not carry off what another has just built from other sources.
    await alone(CACHE, async () => {
      if (!BINARIES.every((name) => existsSync(join(kept, name)))) await build(kept)
    })
    for (const name of BINARIES) place(join(kept, name), at('build', name))
    writeStamp('prover', wanted)
  },
}

/** Fills a private directory first: nobody finds half a prover in the cache. */
async function build(kept) {
  const target = proverTarget()
  mkdirSync(target, { recursive: true })
  const args = ['build', '--locked', '--release', '--features', 'params']
  await run('prover', 'cargo', [...args, '--manifest-path', PROVER_MANIFEST, '--target-dir', target], {
    cwd: at('crates', 'prover'),
    progress: cargoProgress(at('crates', 'prover', 'Cargo.lock')),
    advice: ADVICE,
  })
  const fresh = mkdtempSync(join(CACHE, 'prover', 'new-'))
  for (const name of BINARIES) place(join(target, 'release', name), join(fresh, name))
  rmSync(kept, { recursive: true, force: true })
  try {
    renameSync(fresh, kept)
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true })
    // Another machine with this home directory was quicker; its build is as good.
    if (!BINARIES.every((name) => existsSync(join(kept, name)))) throw error
  }
}
