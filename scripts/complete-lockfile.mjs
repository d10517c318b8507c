/**
 * Adds to package-lock.json the optional packages of other platforms that a mirror has hidden.
 *
 * Some npm mirrors answer 404 for packages built for a platform other than their own. `npm install` then
 * writes a lockfile without them, and `npm ci` refuses that lockfile everywhere: "Missing: … from lock file".
 * Run this after every install: `npm run lockfile`. With `--check` it changes nothing and exits 1 when an
 * entry is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const lockfilePath = fileURLToPath(new URL('../package-lock.json', import.meta.url))

/** Where Node would find `name` when `from` (a key of the lockfile's `packages`) asks for it, or null. */
function resolve(packages, from, name) {
  for (let at = from; ; ) {
    const key = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`
    if (packages[key]) return key
    if (at === '') return null
    const parent = at.lastIndexOf('/node_modules/')
    at = parent === -1 ? '' : at.slice(0, parent)
  }
}

/** What a platform package's name says about where it runs: `…-linux-arm64-musl` → os, cpu, libc. */
export function platformOf(name) {
  const words = name.split(/[/-]/)
  const os = [
    'android',
    'darwin',
    'freebsd',
    'linux',
    'netbsd',
    'openbsd',
    'openharmony',
    'sunos',
    'win32',
    'aix',
  ]
  const cpu = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32']
  const platform = {}
  const foundOs = words.find((word) => os.includes(word))
  const foundCpu = words.find((word) => cpu.includes(word))
  if (foundOs) platform.os = [foundOs]
  if (foundCpu) platform.cpu = [foundCpu]
  if (words.some((word) => word === 'musl' || word === 'musleabihf')) platform.libc = ['musl']
  else if (foundOs === 'linux' && words.some((word) => word.startsWith('gnu'))) platform.libc = ['glibc']
  return platform
}

/** The entries that `lockfile` lacks: optional dependencies of its packages that resolve to nothing. */
export function missingEntries(lockfile) {
  const missing = {}
  for (const [key, entry] of Object.entries(lockfile.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (resolve(lockfile.packages, key, name)) continue
      if (!/^\d+\.\d+\.\d+/.test(version)) {
        throw new Error(`${key || 'package.json'} wants ${name}@${version}: only exact versions can be added`)
      }
      missing[`node_modules/${name}`] = {
        version,
        ...(entry.dev ? { dev: true } : {}),
        optional: true,
        ...platformOf(name),
      }
    }
  }
  return missing
}

function main() {
  const lockfile = JSON.parse(readFileSync(lockfilePath, 'utf8'))
  const missing = missingEntries(lockfile)
  const names = Object.keys(missing)
  if (process.argv.includes('--check')) {
    if (names.length === 0) return
    console.error(`package-lock.json lacks ${names.length} optional packages; run: npm run lockfile`)
    for (const name of names) console.error(`  ${name}`)
    process.exitCode = 1
    return
  }
  if (names.length === 0) return console.log('package-lock.json is complete')
  const all = Object.entries({ ...lockfile.packages, ...missing })
  all.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  lockfile.packages = Object.fromEntries(all)
  writeFileSync(lockfilePath, `${JSON.stringify(lockfile, null, 2)}\n`)
  console.log(`package-lock.json: added ${names.length} optional packages of other platforms`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
