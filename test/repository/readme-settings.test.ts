import test from 'ava'
import { readSetting, writeSetting } from '../../src/config/setting-value.ts'
import { type NodeKind, type Setting, settingRows, writtenDefault } from '../../src/config/settings-table.ts'
import { read } from '../source-files.ts'

function defaultOf(setting: Setting, kind: NodeKind): string {
  return writeSetting(setting.type, readSetting(setting, writtenDefault(setting, kind), ''))
}

/** The rows that README's table must have, in the order of the program's own table. */
function expectedRows(): string[] {
  const kinds = new Map<string, NodeKind[]>()
  const rows = new Map<string, Setting>()
  for (const kind of ['sealer', 'worker'] as const) {
    for (const { section, key, setting } of settingRows(kind)) {
      kinds.set(`${section}.${key}`, [...(kinds.get(`${section}.${key}`) ?? []), kind])
      rows.set(`${section}.${key}`, setting)
    }
  }
  return [...rows].map(([key, setting]) => {
    const who = kinds.get(key) ?? []
    const defaults = [...new Set(who.map((kind) => `\`${defaultOf(setting, kind)}\``))]
    const flag = setting.flag === undefined ? '' : ` (\`--${setting.flag}\`)`
    const unit = setting.unit ?? ''
    const choices = setting.choices === undefined ? '' : `; one of ${setting.choices.join(', ')}`
    return `| \`${key}\`${flag} | ${who.length === 2 ? 'both' : who[0]} | ${defaults.join(' / ')} | ${unit} | ${setting.text}${choices} |`
  })
}

test('README lists every setting with its unit and default, and no other', (t) => {
  const lines = read('README.md').split('\n')
  const first = lines.findIndex((line) => line.startsWith('| setting |'))
  t.true(first >= 0, 'README has no table of settings')
  const table = lines.slice(first + 2)
  const rows = table.slice(
    0,
    table.findIndex((line) => !line.startsWith('|')),
  )
  t.deepEqual(
    [...rows].sort(),
    expectedRows().sort(),
    'the table in README.md differs from src/config/settings-table.ts',
  )
})
