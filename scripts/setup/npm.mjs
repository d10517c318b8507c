/** Installs the npm packages that the lockfile names. */
import { readFileSync, writeFileSync } from 'node:fs'
import { at } from './paths.mjs'
import { hashOf } from './stamps.mjs'
import { run } from './step.mjs'

/** Inside node_modules, so that it goes when they go. */
const STAMP = at('node_modules', '.sealyard-lockfile')

const hash = () => hashOf(['package-lock.json'])

export const npmPackages = {
  title: 'npm packages',
  isCurrent() {
    try {
      return readFileSync(STAMP, 'utf8') === hash()
    } catch {
      return false
    }
  },
  async make() {
    const wanted = hash()
    // The npm that started us, when one did.
    const npm = process.env.npm_execpath
    const [command, ...before] = npm?.endsWith('.js') ? [process.execPath, npm] : ['npm']
    const args = [...before, 'ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']
    await run('npm-ci', command, args, {
      env: cleanEnvironment(),
      advice: 'Is the npm registry reachable? Behind a mirror, check ~/.npmrc; then start again.',
    })
    writeFileSync(STAMP, wanted)
  },
}

/**
 * An outer `npm start --omit=dev` (or NODE_ENV=production, which npm then sets) reaches a nested npm through
 * the environment and would leave out the compiler; so would the outer command's own settings.
 */
function cleanEnvironment() {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      name !== 'NODE_ENV' &&
      !/^npm_(lifecycle|package|command)/.test(name) &&
      !/^npm_config_(omit|include|only|production|dev|global|prefix|local_prefix|dry_run|workspace)/i.test(
        name,
      ),
  )
  return Object.fromEntries(kept)
}
