/** Builds the addon and puts it where `src/native` looks for it. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ADDON, at, TARGET } from './paths.mjs'
import { hashOf, readStamp, writeStamp } from './stamps.mjs'
import { cargoProgress, run } from './step.mjs'

/** The crates below the addon: all but the prover, which is a workspace of its own, and what tests them. */
function sources() {
  const crates = readdirSync(at('crates')).filter((name) => name !== 'prover' && name !== 'faults')
  return [
    'Cargo.toml',
    'Cargo.lock',
    '.cargo/config.toml',
    'native',
    ...crates.map((name) => `crates/${name}`),
  ]
}

/** Tests and pages do not change the library. */
function isBuilt(file) {
  return !file.endsWith('.md') && !/\/crates\/[^/]+\/(tests|benches)\//.test(file)
}

const hash = () => hashOf(sources(), { accept: isBuilt })

export const addon = {
  title: 'native addon',
  isCurrent: () => existsSync(ADDON) && readStamp('addon') === hash(),
  async make() {
    const wanted = hash()
    const args = ['build', '--locked', '--release', '-p', 'sealyard-native', '--target-dir', TARGET]
    await run('addon', 'cargo', args, {
      cwd: at(),
      progress: cargoProgress(at('Cargo.lock')),
      advice: 'The native addon did not compile; `rustup update stable` helps when the compiler is old.',
    })
    place(join(TARGET, 'release', 'libsealyard_native.so'), ADDON)
    writeStamp('addon', wanted)
  },
}

/** Copies under another name, then renames: a running daemon keeps the file it has mapped. */
export function place(from, to) {
  mkdirSync(dirname(to), { recursive: true })
  const temporary = `${to}.${process.pid}`
  copyFileSync(from, temporary)
  renameSync(temporary, to)
}
