import { type Command, Option } from 'commander'
import type { SettingSources } from '../config/load-settings.ts'
import type { NodeKind } from '../config/settings-table.ts'
import { settingRows } from '../config/settings-table.ts'

/** Gives `run` a flag for each setting that has one. Switches take true or false, alone they mean true. */
export function addSettingFlags(command: Command, kind: NodeKind): Command {
  for (const { setting } of settingRows(kind)) {
    if (setting.flag === undefined) continue
    const value = setting.type === 'bool' ? '[yes]' : '<value>'
    command.addOption(new Option(`--${setting.flag} ${value}`, setting.text))
  }
  return command
}

/** What was typed, by `Section.Key`, as the settings are read. */
export function settingFlags(command: Command, kind: NodeKind): SettingSources['flags'] {
  const typed = command.opts<Record<string, string | boolean | undefined>>()
  const flags: Record<string, string | boolean> = {}
  for (const { section, key, setting } of settingRows(kind)) {
    if (setting.flag === undefined) continue
    const value = typedValue(typed, setting.flag)
    if (value !== undefined) flags[`${section}.${key}`] = value
  }
  return flags
}

/** commander reads `--no-swap` as swap = false, and has swap = true when nothing was typed. */
function typedValue(typed: Record<string, string | boolean | undefined>, flag: string) {
  const isNegative = flag.startsWith('no-')
  const value = typed[camelCase(isNegative ? flag.slice(3) : flag)]
  if (!isNegative || typeof value === 'string') return value
  return value === false ? true : undefined
}

function camelCase(flag: string): string {
  return flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}
