/** What `npm run check` runs: name, command, arguments, and how to put right what it finds. */
import { at, PROVER_MANIFEST, TARGET } from './setup/paths.mjs'
import { proverTarget } from './setup/prover.mjs'

const bin = (name) => at('node_modules', '.bin', name)
const node = process.execPath

const CLIPPY_WORKSPACE = [
  'clippy',
  '--quiet',
  '--locked',
  '--workspace',
  '--all-targets',
  '--target-dir',
  TARGET,
]
// With all targets the binding crate reports every export as dead code: napi registers none under cfg(test).
const CLIPPY_NATIVE = ['clippy', '--quiet', '--locked', '-p', 'sealyard-native', '--target-dir', TARGET]
const DENY = ['--', '-D', 'warnings']

/** @returns {{ name: string, command: string, args: string[], cure?: string }[]} */
export function checks() {
  const prover = ['--manifest-path', PROVER_MANIFEST]
  const clippyProver = ['clippy', '--quiet', '--locked', '--release', '--all-targets', '--features', 'params']
  return [
    { name: 'format and lint', command: bin('biome'), args: ['check', '.'], cure: 'npm run format' },
    { name: 'promises', command: bin('oxlint'), args: ['--type-aware', '--deny-warnings'] },
    { name: 'types of src', command: node, args: [bin('tsc'), '-p', '.', '--noEmit'] },
    { name: 'types of test', command: node, args: [bin('tsc'), '-p', 'test'] },
    {
      name: 'lockfile',
      command: node,
      args: ['scripts/complete-lockfile.mjs', '--check'],
      cure: 'npm run lockfile',
    },
    {
      name: 'layers and repository',
      command: bin('ava'),
      args: ['test/layers.test.ts', 'test/repository/*.test.ts'],
    },
    { name: 'cargo fmt', command: 'cargo', args: ['fmt', '--all', '--check'], cure: 'cargo fmt --all' },
    {
      name: 'cargo fmt, prover',
      command: 'cargo',
      args: ['fmt', ...prover, '--check'],
      cure: 'cargo fmt --manifest-path crates/prover/Cargo.toml',
    },
    {
      name: 'clippy, crates',
      command: 'cargo',
      args: [...CLIPPY_WORKSPACE, '--exclude', 'sealyard-native', ...DENY],
    },
    { name: 'clippy, native', command: 'cargo', args: [...CLIPPY_NATIVE, ...DENY] },
    {
      name: 'clippy, prover',
      command: 'cargo',
      args: [...clippyProver, ...prover, '--target-dir', proverTarget(), ...DENY],
    },
    {
      name: 'addon types',
      command: node,
      args: ['scripts/build-dts.mjs', '--check'],
      cure: 'npm run build:dts',
    },
  ]
}
