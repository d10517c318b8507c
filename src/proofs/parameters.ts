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

/** `of another circuit`: whole, but the key it begins with is not the one beside it. */
export const PARAMETER_STATES = ['whole', 'missing', 'cut short', 'of another circuit'] as const

export interface ParameterFile {
  readonly file: string
  readonly state: (typeof PARAMETER_STATES)[number]
}

/** What keeps a circuit from being proven, file by file; '' when nothing does. */
export function lackingWords({ parameters, verifyingKey }: FoundParameters): string {
  const lacking = [parameters, verifyingKey].filter(({ state }) => state !== 'whole')
  return lacking.map(({ file, state }) => `${file} is ${state}`).join(', ')
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
 * Where parameters are looked for, in this order: what the setting names and nothing else; else the operator's
 * directory, then Sealyard's own cache, because an operator's holds the network's sizes and no home-made ones.
 * @param setting Proofs.ParameterCache; empty when it is not set
 */
export function parameterDirectories(
  setting: string,
  env: NodeJS.ProcessEnv,
): readonly [string, ...string[]] {
  if (setting !== '') return [resolve(setting)]
  const own = ownParameterDirectory(env)
  const operators = env.FIL_PROOFS_PARAMETER_CACHE
  return operators ? [resolve(operators), own] : [own]
}
