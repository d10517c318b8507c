import { SealyardError } from './errors.ts'

/**
 * Steps that a test has asked to fail, read once; empty in every other process.
 *
 *     SEALYARD_FAIL_STEPS=PreCommit1,FinalizeSector   each sector's first attempt at each fails, in each run of the process
 */
const asked = new Set((process.env.SEALYARD_FAIL_STEPS ?? '').split(',').filter((name) => name !== ''))
const failed = new Set<string>()

/** @throws SealyardError ASKED_TO_FAIL, temporary: it counts towards nothing */
export function failIfAsked(step: string, sector: number): void {
  if (!asked.has(step) || failed.has(`${step} ${sector}`)) return
  failed.add(`${step} ${sector}`)
  throw new SealyardError({
    code: 'ASKED_TO_FAIL',
    level: 'temporary',
    message: `a test has asked that the first ${step} of each sector fails`,
  })
}
