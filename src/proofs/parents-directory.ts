import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { describeError } from '../base/errors.ts'
import { type ProofError, proofError } from './errors.ts'

/** Where the proofs crates keep the files of SDR parents; as they do, the name is put right behind the base. */
export function parentsDirectory(env: NodeJS.ProcessEnv): string {
  return env.FIL_PROOFS_PARENT_CACHE ?? `${env.FIL_PROOFS_CACHE_DIR ?? '/var/tmp/'}filecoin-parents`
}

/**
 * The crates make that directory and its files by themselves, and pass on the bare system error when they cannot:
 * `Permission denied (os error 13)`, of no file in particular. No sector can be labelled on this host then, whoever
 * tries again, and another worker may well do it.
 * @param failure of a task that labels
 * @returns what is wrong with the directory, in its place; null when that is not why the task failed
 */
export async function parentsTrouble(
  failure: unknown,
  env: NodeJS.ProcessEnv,
  sector: string | null,
): Promise<ProofError | null> {
  const directory = parentsDirectory(env)
  const words = describeError(failure)
  // A failure that names another file is about that one.
  if (!/\(os error \d+\)/.test(words) || (/\s\//.test(words) && !words.includes(directory))) return null
  try {
    await mkdir(directory, { recursive: true })
    await access(directory, constants.W_OK | constants.X_OK)
    return null
  } catch (cause) {
    const message =
      `the parent cache ${directory} cannot be written (${describeError(cause)}): PC1 and UNS keep the parents of a ` +
      'sector size there. Let the user of this daemon write to it, or set FIL_PROOFS_PARENT_CACHE to a directory that ' +
      'it may write to (56 GiB for 32 GiB sectors), then start the worker again'
    return proofError('PARENTS_UNWRITABLE', message, { sector, cause: failure })
  }
}
