import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { errorCode } from '../base/errors.ts'
import { badConfig } from './errors.ts'
import { nearest } from './nearest.ts'
import { readSetting, readSettingText, type SettingValue, writeSetting } from './setting-value.ts'
import {
  type NodeKind,
  SETTINGS,
  type Setting,
  type Settings,
  settingRows,
  settingVariable,
  writtenDefault,
} from './settings-table.ts'

export interface SettingSources {
  /** Directory of `config.toml`, which may be missing. */
  readonly repo: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Values by `Section.Key`; text is read as from the environment, undefined is as if it were not there. */
  readonly flags: Readonly<Record<string, string | boolean | number | readonly string[] | undefined>>
}

/** One line of `config show`. */
export interface ExplainedSetting {
  /** `Storage.ParallelFetchLimit` */
  readonly key: string
  /** As it would stand in `config.toml`. */
  readonly value: string
  /** `default`, the file's path, the variable's name or the flag. */
  readonly origin: string
  readonly unit: string
  readonly text: string
}

export interface LoadedSettings {
  readonly value: Settings
  explain(): ExplainedSetting[]
  /** Whether somebody set it: it does not come from the table. */
  isSet(key: string): boolean
}

interface Found {
  readonly value: SettingValue
  readonly origin: string
}

const UNITS = { bool: '', int: '', bytes: 'bytes', duration: 'duration', string: '', strings: '' } as const
/** Names that look like settings and are not: where the repos are. */
const OTHER_VARIABLES = ['SEALYARD_WORKER_PATH', 'SEALYARD_SEALER_PATH']

/**
 * Reads the settings of a daemon: flag over environment over `config.toml` over default.
 * @throws ConfigError naming what is unknown, of the wrong type or unreadable, and what to write instead
 */
export async function loadSettings(kind: NodeKind, sources: SettingSources): Promise<LoadedSettings> {
  const file = join(sources.repo, 'config.toml')
  const written = await readConfigFile(file)
  checkFileKeys(kind, file, written)
  checkVariables(sources.env)
  const found = new Map<string, Found>()
  for (const { section, key, setting } of settingRows(kind)) {
    const sectionValues = written[section] as Record<string, unknown> | undefined
    found.set(`${section}.${key}`, pick(kind, sources, { file, section, key, setting }, sectionValues?.[key]))
  }
  return {
    value: assemble(kind, found),
    isSet: (key) => found.get(key) !== undefined && found.get(key)?.origin !== 'default',
    explain: () =>
      settingRows(kind).map(({ section, key, setting }) => {
        const { value, origin } = found.get(`${section}.${key}`) as Found
        const unit = setting.unit ?? UNITS[setting.type]
        return {
          key: `${section}.${key}`,
          value: writeSetting(setting.type, value),
          origin,
          unit,
          text: setting.text,
        }
      }),
  }
}

/** A `config.toml` with every setting of a daemon, commented out at its default. */
export function defaultConfigFile(kind: NodeKind): string {
  const lines = ["# Sealyard's settings. What is commented out stands at its default."]
  let section = ''
  for (const row of settingRows(kind)) {
    if (row.section !== section) lines.push('', `[${row.section}]`)
    section = row.section
    const value = readSetting(row.setting, writtenDefault(row.setting, kind), row.key)
    lines.push(`  # ${row.setting.text}`)
    lines.push(`  # also ${settingVariable(row.section, row.key)}${flagOf(row.setting)}`)
    lines.push(`  #${row.key} = ${writeSetting(row.setting.type, value)}`)
  }
  return `${lines.join('\n')}\n`
}

function flagOf(setting: Setting): string {
  return setting.flag === undefined ? '' : ` and --${setting.flag}`
}

interface Place {
  readonly file: string
  readonly section: string
  readonly key: string
  readonly setting: Setting
}

function pick(kind: NodeKind, sources: SettingSources, place: Place, inFile: unknown): Found {
  const { section, key, setting } = place
  const flag = sources.flags[`${section}.${key}`]
  if (flag !== undefined) {
    const origin = setting.flag === undefined ? 'flag' : `--${setting.flag}`
    const read =
      typeof flag === 'string' ? readSettingText(setting, flag, origin) : readSetting(setting, flag, origin)
    return { value: read, origin }
  }
  const variable = settingVariable(section, key)
  const text = sources.env[variable]
  if (text !== undefined) return { value: readSettingText(setting, text, variable), origin: variable }
  if (inFile !== undefined) {
    return { value: readSetting(setting, inFile, `${place.file}: ${section}.${key}`), origin: place.file }
  }
  return {
    value: readSetting(setting, writtenDefault(setting, kind), `${section}.${key}`),
    origin: 'default',
  }
}

/** Keys of the other daemon are there too, at their defaults: the type is one for both. */
function assemble(kind: NodeKind, found: Map<string, Found>): Settings {
  const sections = Object.entries(SETTINGS).map(([section, rows]) => [
    section,
    Object.fromEntries(
      Object.entries(rows as Record<string, Setting>).map(([key, setting]) => {
        const own = found.get(`${section}.${key}`)
        return [key, own?.value ?? readSetting(setting, writtenDefault(setting, kind), key)]
      }),
    ),
  ])
  return Object.fromEntries(sections) as Settings
}

async function readConfigFile(file: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return {}
    throw badConfig(
      'CONFIG_UNREADABLE',
      `${file} cannot be read (${errorCode(cause)}); check its owner and mode`,
      cause,
    )
  }
  try {
    return parse(text)
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const words = cause.message.split('\n', 1)[0]?.replace(/^Invalid TOML document: /, '')
    throw badConfig('BAD_TOML', `${file}, line ${cause.line}: ${words}`, cause)
  }
}

function checkFileKeys(kind: NodeKind, file: string, written: Record<string, unknown>): void {
  for (const [section, values] of Object.entries(written)) {
    if (!Object.hasOwn(SETTINGS, section)) {
      throw unknown(`${file}: [${section}] is not a section`, nearest(section, Object.keys(SETTINGS)), '[]')
    }
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw badConfig('BAD_SETTING', `${file}: ${section} must be a section; write it as [${section}]`)
    }
    const rows = SETTINGS[section as keyof typeof SETTINGS] as Readonly<Record<string, Setting>>
    for (const key of Object.keys(values)) checkKey(kind, file, section, key, rows)
  }
}

function checkKey(
  kind: NodeKind,
  file: string,
  section: string,
  key: string,
  rows: Readonly<Record<string, Setting>>,
): void {
  const row = Object.hasOwn(rows, key) ? rows[key] : undefined
  if (row === undefined) {
    throw unknown(`${file}: [${section}] has no key '${key}'`, nearest(key, Object.keys(rows)), "''")
  }
  if (row.kind !== 'both' && row.kind !== kind) {
    throw badConfig(
      'FOREIGN_SETTING',
      `${file}: ${section}.${key} is a setting of the ${row.kind}; remove it here`,
    )
  }
}

/** A variable that names one of our sections but none of its keys is a typo; others may be anybody's. */
function checkVariables(env: SettingSources['env']): void {
  const known = Object.entries(SETTINGS).flatMap(([section, rows]) =>
    Object.keys(rows).map((key) => settingVariable(section, key)),
  )
  const prefixes = Object.keys(SETTINGS).map((section) => `SEALYARD_${section.toUpperCase()}_`)
  for (const name of Object.keys(env)) {
    const isOurs = prefixes.some((prefix) => name.startsWith(prefix))
    if (!isOurs || known.includes(name) || OTHER_VARIABLES.includes(name)) continue
    throw unknown(`the environment variable ${name} is not a setting`, nearest(name, known), '')
  }
}

function unknown(words: string, near: string | null, quotes: string) {
  const [open = '', close = ''] = quotes
  const hint = near === null ? "'config show' lists them all" : `did you mean ${open}${near}${close}?`
  return badConfig('UNKNOWN_SETTING', `${words}; ${hint}`)
}
