import test from 'ava'
import { read } from '../source-files.ts'

// Plain JavaScript that set-up runs before anything is installed; it has no types.
// @ts-expect-error
const { missingEntries, platformOf } = await import('../../scripts/complete-lockfile.mjs')

interface Package {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
}

const lockfile = JSON.parse(read('package-lock.json')) as { packages: Record<string, Package> }
const manifest = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

test('the lockfile names the optional packages of every platform', (t) => {
  t.deepEqual(Object.keys(missingEntries(lockfile)), [])
})

test('a lockfile that lacks a platform is noticed and completed', (t) => {
  const cut = structuredClone(lockfile)
  delete cut.packages['node_modules/@biomejs/cli-darwin-arm64']
  t.deepEqual(missingEntries(cut), {
    'node_modules/@biomejs/cli-darwin-arm64': {
      version: manifest.devDependencies['@biomejs/biome'],
      dev: true,
      optional: true,
      os: ['darwin'],
      cpu: ['arm64'],
    },
  })
  t.deepEqual(platformOf('@oxlint/binding-linux-x64-musl'), { os: ['linux'], cpu: ['x64'], libc: ['musl'] })
})

test('the lockfile names no host to download from', (t) => {
  const hosts = Object.entries(lockfile.packages).filter(
    ([, each]) => each.resolved !== undefined && !each.link,
  )
  t.deepEqual(hosts, [])
  t.true(read('.npmrc').includes('omit-lockfile-registry-resolved=true'))
})

test('every dependency is pinned to one version, the one in the lockfile', (t) => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    t.regex(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name)
    t.is(lockfile.packages[`node_modules/${name}`]?.version, version, name)
  }
})

test('the crates are pinned too, and locked', (t) => {
  const locked = read('Cargo.lock')
  const workspace = /\[workspace\.dependencies\]\n([\s\S]*?)\n\n/.exec(read('Cargo.toml'))?.[1] ?? ''
  const pins = [...workspace.matchAll(/^([\w-]+) = (?:\{ version = )?"([^"]+)"/gm)]
  t.true(pins.length > 3)
  for (const [, name = '', version = ''] of pins) {
    t.regex(version, /^=\d/, `${name} is not pinned`)
    t.true(locked.includes(`name = "${name}"`) || !read('Cargo.toml').includes(name), `${name} is not locked`)
  }
})
