import { SealyardError } from '../base/errors.ts'

/**
 * Codes: `UNKNOWN_PATH`, `NO_GOOD_PATH` (temporary), `URL_MISMATCH`.
 * Messages begin as lotus' do: its nodes and ours look for those words.
 */
export class SectorIndexError extends SealyardError {}

export function unknownPath(message: string, pathId: string): SectorIndexError {
  return new SectorIndexError({ code: 'UNKNOWN_PATH', level: 'permanent', message, storagePath: pathId })
}
