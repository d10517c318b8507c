import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { skipUnless } from '../skip.ts'
import { read, TOP } from '../source-files.ts'

/** Files that git knows and that still exist; null outside a clone (a tarball). */
function trackedFiles(): string[] | null {
  if (!existsSync(join(TOP, '.git'))) return null
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: TOP,
  })
  const files = listed.toString().split('\0').filter(Boolean)
  return files.filter(
    (path) => existsSync(join(TOP, path)) && !/(^|\/)(package-lock\.json|Cargo\.lock)$/.test(path),
  )
}

const CODE = /\.(ts|mjs|js|rs|toml|json|yml|html|css)$|^(bin|scripts|\.ci)\//

// Put together from halves, so that this file does not accuse itself.
const RULES: readonly { readonly name: string; readonly pattern: RegExp; readonly files: RegExp }[] = [
  {
    name: 'unfinished work',
    pattern: new RegExp(`\\b(TO${'DO'}|FIX${'ME'}|un${'implemented'}!|to${'do'}!)`),
    files: CODE,
  },
  {
    name: 'a test switched off or singled out',
    pattern: new RegExp(
      `\\btest(\\.serial)?\\.(sk${'ip'}|to${'do'}|on${'ly'}|fail${'ing'})\\b|#\\[ig${'nore'}`,
    ),
    files: /\.(ts|rs)$/,
  },
  {
    name: "a package registry's host",
    pattern: new RegExp(`https?://(regi${'stry'}|sta${'tic'}|ind${'ex'}|pro${'xy'})\\.[a-z.]+/`),
    files: /./,
  },
]

for (const rule of RULES) {
  test(`no file holds ${rule.name}`, (t) => {
    const files = trackedFiles()
    if (skipUnless(t, files !== null, 'this is not a git clone')) return
    const found = (files ?? [])
      .filter((path) => rule.files.test(path) && rule.pattern.test(read(path)))
      .filter((path) => path !== 'test/repository/tidiness.test.ts')
    t.deepEqual(found, [])
  })
}

test('what set-up makes is ignored by git', (t) => {
  const ignored = read('.gitignore').split('\n')
  for (const name of ['node_modules/', 'target/', 'build/', 'dist/', '.tour/'])
    t.true(ignored.includes(name), name)
})
