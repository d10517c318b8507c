import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { proofError } from './errors.ts'

/** A binary that set-up builds. @throws ProofError PROVER_MISSING */
export function builtBinary(name: 'sealyard-prover' | 'sealyard-params'): string {
  // The same relative path is right from src/proofs and from dist/proofs.
  const file = fileURLToPath(new URL(`../../build/${name}`, import.meta.url))
  if (existsSync(file)) return file
  const cure = 'run "npm run build" (it needs a stable Rust toolchain and a C compiler) and start again'
  throw proofError('PROVER_MISSING', `${file} is missing: ${cure}`)
}
