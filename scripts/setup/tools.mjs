/** Checks what set-up cannot bring along: Node, Rust, a C compiler. Says what is missing in plain sentences. */
import { execFileSync } from 'node:child_process'
import { StepFailed, say } from './step.mjs'

const RUST_AT_LEAST = [1, 88]

/** @throws StepFailed when this is not Node 20.19 or later in its line */
export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major === 20 && minor >= 19) return
  throw new StepFailed(
    'node',
    `Sealyard needs Node 20.19 or a later 20.x; this is ${process.version}.`,
    'docs/decisions says why. Install Node 20 and start again.',
  )
}

/** @returns `rustc -vV`: version, host and LLVM, which decide whether a build can be shared */
export function rustVersion() {
  return output('rustc', ['-vV']) ?? ''
}

/** @throws StepFailed naming every tool that is missing, not only the first */
export function checkBuildTools() {
  const missing = []
  const rust = /^release: (\d+)\.(\d+)/m.exec(rustVersion())
  if (rust === null || output('cargo', ['--version']) === null) {
    missing.push(
      'a Rust toolchain (rustc and cargo, 1.88 or later): install it with rustup or from your distribution',
    )
  } else if (Number(rust[1]) === RUST_AT_LEAST[0] && Number(rust[2]) < RUST_AT_LEAST[1]) {
    missing.push(`Rust 1.88 or later (this is ${rust[1]}.${rust[2]}): rustup update stable`)
  }
  if (output(process.env.CC || 'cc', ['--version']) === null) {
    missing.push('a C compiler (cc): on Debian, apt-get install build-essential')
  }
  for (const [tool, why] of [
    ['python3', 'some tests play a stranger on the wire with it'],
    ['git', 'tests ask it which files are tracked'],
  ]) {
    if (output(tool, ['--version']) === null) say(`${tool} is not here; ${why}. Going on without it.`)
  }
  if (missing.length === 0) return
  throw new StepFailed(
    'tools',
    `this machine lacks:\n${missing.map((each) => `    ${each}`).join('\n')}`,
    'Install what is named above and start again.',
  )
}

function output(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return null
  }
}
