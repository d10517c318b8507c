import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeError } from '../base/errors.ts'
import { BUILT_IN_POLICY, type Policy } from './decide/policy.ts'
import { SchedulerError } from './errors.ts'

/**
 * The policy of an operator's own module: an ES module that exports `accept`, `compare` or both; what it does not
 * export stays built in.
 * @param file empty: the built-in policy
 * @throws SchedulerError BAD_POLICY
 */
export async function loadPolicy(file: string): Promise<Policy> {
  if (file === '') return BUILT_IN_POLICY
  const exported = await importModule(file)
  const { accept, compare } = exported
  if (accept === undefined && compare === undefined) {
    throw badPolicy(`[Scheduler] Policy: ${file} exports neither accept nor compare`)
  }
  for (const [name, value] of Object.entries({ accept, compare })) {
    if (value !== undefined && typeof value !== 'function') {
      throw badPolicy(`[Scheduler] Policy: ${name} of ${file} is no function but ${typeof value}`)
    }
  }
  return {
    accept: (accept as Policy['accept'] | undefined) ?? BUILT_IN_POLICY.accept,
    compare: (compare as Policy['compare'] | undefined) ?? BUILT_IN_POLICY.compare,
  }
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>
  } catch (error) {
    throw badPolicy(`[Scheduler] Policy: ${file} cannot be loaded: ${describeError(error)}`, error)
  }
}

function badPolicy(message: string, cause?: unknown): SchedulerError {
  return new SchedulerError({ code: 'BAD_POLICY', level: 'permanent', message, cause })
}
