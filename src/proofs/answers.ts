import { z } from 'zod'
import { PARAMETER_STATES } from './parameters.ts'

// What the prover answers to each task, see crates/prover/protocol.md.

export const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
export const bytes = z.base64().transform((text): Uint8Array => Buffer.from(text, 'base64'))
export const nothing = z.object({})
export const piece = z.object({ commitment: hex32, paddedBytes: z.int().positive() })
export const commitments = z.object({ commD: hex32, commR: hex32 })
export const proof = z.object({ proof: bytes })
export const verdict = z.object({ valid: z.boolean() })
export const challenges = z.object({
  challenges: z.array(
    z.object({ sector: z.int().nonnegative(), challenges: z.array(z.int().nonnegative()) }),
  ),
})
const parameterFile = z.object({ file: z.string(), state: z.enum(PARAMETER_STATES) })
export const foundParameters = z.object({
  parameters: parameterFile,
  verifyingKey: parameterFile,
  canProve: z.boolean(),
  canVerify: z.boolean(),
})

export const phase1 = z.object({ phase1Output: z.string() })
export const bytesRead = z.object({ bytes: z.int().nonnegative() })
export const vanillaProof = z.object({ vanillaProof: bytes })
