import { mkdir, mkdtemp, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError } from '../base/errors.ts'
import { sealyardCache } from '../proofs/parameters.ts'
import { say } from './say.ts'

/**
 * Sealing keeps graphs and parameters in a cache below the home directory. A user without a home, or with one that
 * cannot be written (a container's, `nobody`'s), gets the tour's own: made again by each tour, but the tour goes on.
 * @param env where daemons and commands find the cache; changed when it moves
 */
export async function moveCacheIfNeeded(env: NodeJS.ProcessEnv, instead: string): Promise<void> {
  const cache = sealyardCache(env)
  const refusal = await refusalOf(cache)
  if (refusal === null) return
  env.SEALYARD_CACHE = instead
  say(`the cache ${cache} cannot be written (${refusal}): this tour keeps parameters in ${instead}`)
}

async function refusalOf(directory: string): Promise<string | null> {
  try {
    await mkdir(directory, { recursive: true })
    // access(2) does not know of read-only mounts below, quotas or ACLs as a write does.
    await rmdir(await mkdtemp(join(directory, 'tour-')))
    return null
  } catch (error) {
    return describeError(error)
  }
}
