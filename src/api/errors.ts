import { SealyardError } from '../base/errors.ts'

/** A node that cannot start or be asked: port, token, secret. */
export class ApiError extends SealyardError {}

export function apiError(code: string, message: string, cause?: unknown): ApiError {
  return new ApiError({ code, level: 'permanent', message, cause })
}
