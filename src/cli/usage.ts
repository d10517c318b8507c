import { SealyardError } from '../base/errors.ts'

/** A command that was typed wrongly: status 2, nothing done. */
export function usage(message: string): SealyardError {
  return new SealyardError({ code: 'USAGE', level: 'permanent', message })
}

/** A command that was typed rightly and finds nothing: status 1. */
export function notFound(message: string): SealyardError {
  return new SealyardError({ code: 'NOT_FOUND', level: 'permanent', message })
}

/** @throws SealyardError USAGE when the text is no sector number */
export function sectorNumber(text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number
  throw usage(`'${text}' is not a sector number`)
}
