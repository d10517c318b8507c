import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { addon } from '../../src/native/addon.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const types = read('src/native/exports.d.ts')

test('no field of an exported type may be absent: what is not there is null', (t) => {
  t.deepEqual(types.match(/^.*\w\?:.*$/gm) ?? [], [])
})

test('the addon has exactly the functions and classes that its types declare', (t) => {
  const declared = [...types.matchAll(/^export declare (?:class|function) (\w+)/gm)].map(
    ([, name = '']) => name,
  )
  t.deepEqual(Object.keys(addon).sort(), declared.sort())
})

test('every export of the addon catches its panics, which would end the daemon', (t) => {
  const folder = new URL('../../native/src/', import.meta.url)
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.rs'),
  )
  t.true(files.length > 5)
  for (const file of files) {
    // An attribute, and the first line of what it stands on.
    const items = read(`native/src/${file}`).matchAll(
      /#\[napi(\([^\]]*\))?\]\s*\n\s*(?:#\[[^\]]*\]\s*\n\s*)*(.*)/g,
    )
    for (const [, options = '', item] of items) {
      if (!/\bfn\b/.test(item ?? '')) continue
      t.regex(options, /catch_unwind/, `${file}: ${item}`)
    }
  }
})
