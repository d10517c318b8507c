import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'

const TOP = join(import.meta.dirname, '../..')

test('each rule of docs/security.md names tests that are there', (t) => {
  const page = readFileSync(join(TOP, 'docs/security.md'), 'utf8')
  const rows = page.split('\n').filter((line) => /^\| (?!rule )[^-]/.test(line))
  t.true(rows.length >= 25, `${rows.length} rules`)
  for (const row of rows) {
    const named = [...row.matchAll(/`([^`]+) :: ([^`]+)`/g)]
    t.true(named.length > 0, row)
    for (const [, file = '', title = ''] of named) {
      const text = readFileSync(join(TOP, file), 'utf8')
      const found = file.endsWith('.rs')
        ? new RegExp(`fn ${title}\\(`).test(text)
        : text.includes(title.replaceAll("'", "\\'")) || text.includes(title)
      t.true(found, `${file} has no test '${title}'`)
    }
  }
})
