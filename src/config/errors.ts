import { SealyardError } from '../base/errors.ts'

/** A setting that cannot be used; the message names the file or variable, the key and what was expected. */
export class ConfigError extends SealyardError {}

export function badConfig(code: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError({ code, level: 'permanent', message, cause })
}
