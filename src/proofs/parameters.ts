import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** What Groth16 parameters are made for. */
export const CIRCUITS = ['window-post', 'winning-post', 'porep'] as const
export type Circuit = (typeof CIRCUITS)[number]

/** Parameters of one circuit and sector size, as they lie on disk. */
export interface FoundParameters {
  readonly parameters: ParameterFile
  readonly verifyingKey: ParameterFile
  readonly canProve: boolean
  readonly canVerify: boolean
}

export interface ParameterFile {
  readonly file: string
  readonly state: 'whole' | 'missing' | 'cut short'
}

/** Sealyard's own cache: SEALYARD_CACHE, else `sealyard` in XDG_CACHE_HOME or in ~/.cache. */
export function sealyardCache(env: NodeJS.ProcessEnv): string {
  if (env.SEALYARD_CACHE) return resolve(env.SEALYARD_CACHE)
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sealyard')
}

/** Where `parameters make` puts what it makes; the only parameter directory that is ever written to. */
export function ownParameterDirectory(env: NodeJS.ProcessEnv): string {
  return join(sealyardCache(env), 'parameters')
}

/**
 * Where parameters are read from.
 * @param setting Proofs.ParameterCache; empty when it is not set
 */
export function parameterDirectory(setting: string, env: NodeJS.ProcessEnv): string {
  return resolve(setting || env.FIL_PROOFS_PARAMETER_CACHE || ownParameterDirectory(env))
}
