import { formatBytes, parseBytes } from '../base/bytes.ts'
import { formatDuration, parseDuration } from '../base/duration.ts'
import { isSealyardError } from '../base/errors.ts'
import { badConfig } from './errors.ts'
import type { Setting, SettingType } from './settings-table.ts'

/** A value as the program uses it. */
export type SettingValue = boolean | number | string | readonly string[]

const EXPECTED: Readonly<Record<SettingType, string>> = {
  bool: 'true or false',
  int: 'a whole number',
  bytes: 'a size such as "32GiB", or a number of bytes',
  duration: 'a duration such as "90s" or "2h30m"',
  string: 'a text in quotes',
  strings: 'a list of texts, ["…", "…"]',
}

/**
 * A value from the file, from a flag or from the table itself.
 * @param place for the error: `config.toml: Storage.ParallelFetchLimit`
 * @throws ConfigError BAD_SETTING
 */
export function readSetting(setting: Setting, written: unknown, place: string): SettingValue {
  const value = convert(setting.type, written)
  if (value === null || !allowed(setting, value)) throw refused(setting, written, place)
  return value
}

/** A value from the environment, where everything is text. @throws ConfigError BAD_SETTING */
export function readSettingText(setting: Setting, text: string, place: string): SettingValue {
  const trimmed = text.trim()
  switch (setting.type) {
    case 'bool':
      return readSetting(setting, booleanWord(trimmed) ?? text, place)
    case 'int':
      return readSetting(setting, /^-?\d+$/.test(trimmed) ? Number(trimmed) : text, place)
    case 'strings': {
      const items = trimmed.split(',').map((item) => item.trim())
      return readSetting(
        setting,
        items.filter((item) => item !== ''),
        place,
      )
    }
    default:
      return readSetting(setting, trimmed, place)
  }
}

/** A value as `config show` and the generated file write it. */
export function writeSetting(type: SettingType, value: SettingValue): string {
  if (type === 'duration') return `"${formatDuration(Number(value))}"`
  if (type === 'bytes') return exactBytes(Number(value))
  return JSON.stringify(value)
}

function exactBytes(bytes: number): string {
  const text = formatBytes(bytes)
  return bytes !== 0 && parseBytes(text) === bytes ? `"${text.replace(' ', '')}"` : String(bytes)
}

function convert(type: SettingType, written: unknown): SettingValue | null {
  switch (type) {
    case 'bool':
      return typeof written === 'boolean' ? written : null
    case 'int':
      return Number.isSafeInteger(written) ? (written as number) : null
    case 'bytes':
      return typeof written === 'string' ? parsed(parseBytes, written) : convert('int', written)
    case 'duration':
      return typeof written === 'string' ? parsed(parseDuration, written) : null
    case 'string':
      return typeof written === 'string' ? written : null
    case 'strings':
      return Array.isArray(written) && written.every((each) => typeof each === 'string') ? written : null
  }
}

function parsed(parse: (text: string) => number, text: string): number | null {
  try {
    return parse(text)
  } catch (error) {
    if (isSealyardError(error)) return null
    throw error
  }
}

function allowed(setting: Setting, value: SettingValue): boolean {
  if (typeof value === 'number') return value >= (setting.least ?? 0)
  return setting.choices === undefined || setting.choices.includes(String(value))
}

function booleanWord(text: string): boolean | null {
  if (/^(true|1|yes|on)$/i.test(text)) return true
  return /^(false|0|no|off)$/i.test(text) ? false : null
}

function refused(setting: Setting, written: unknown, place: string) {
  const choices = setting.choices?.map((choice) => `"${choice}"`).join(' or ')
  const least =
    setting.least === undefined ? '' : `, at least ${setting.least}${setting.type === 'duration' ? 'ms' : ''}`
  const found = typeof written === 'bigint' ? String(written) : JSON.stringify(written)
  return badConfig(
    'BAD_SETTING',
    `${place} is ${found}, but must be ${choices ?? EXPECTED[setting.type] + least}`,
  )
}
