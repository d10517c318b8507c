import { pino } from 'pino'
import { SealyardError } from './errors.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type LogFormat = 'json' | 'text'

/** What goes beside the message: sector, storagePath, task, error (as one line of text), … */
export type LogFields = Readonly<Record<string, unknown>>

/** One subsystem's log. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export interface LogOptions {
  readonly format: LogFormat
  /** Level of every subsystem that has none of its own. */
  readonly level: LogLevel
  /** Levels by subsystem. */
  readonly levels?: Readonly<Record<string, LogLevel>>
  /** Takes whole lines with their newline; stderr when absent. */
  readonly write?: (line: string) => void
}

/** All logs of a process: one line per event, levels by subsystem, changeable while it runs. */
export class Log {
  readonly #root: pino.Logger
  readonly #loggers = new Map<string, pino.Logger>()
  readonly #levels: Map<string, LogLevel>
  #defaultLevel: LogLevel

  constructor(options: LogOptions) {
    this.#defaultLevel = options.level
    this.#levels = new Map(Object.entries(options.levels ?? {}))
    const write = options.write ?? stderrWriter()
    const toLine = options.format === 'text' ? consoleLine : (line: string) => line
    this.#root = pino(
      {
        base: null,
        level: 'debug',
        messageKey: 'msg',
        timestamp: () => `,"ts":"${new Date().toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
      },
      { write: (line: string) => write(toLine(redactTokens(line))) },
    )
  }

  /** The log of one subsystem, by the field's names where it has one (`advmgr`, `stores`, `rpc`). */
  logger(subsystem: string): Logger {
    const target = this.#subsystem(subsystem)
    return {
      debug: (message, fields) => target.debug(fields ?? {}, message),
      info: (message, fields) => target.info(fields ?? {}, message),
      warn: (message, fields) => target.warn(fields ?? {}, message),
      error: (message, fields) => target.error(fields ?? {}, message),
    }
  }

  /**
   * Changes one subsystem's level, or with `*` everybody's.
   * @throws SealyardError UNKNOWN_SUBSYSTEM: a level for nobody would seem to have been set
   */
  setLevel(subsystem: string, level: LogLevel): void {
    if (subsystem === '*') {
      this.#defaultLevel = level
      this.#levels.clear()
    } else {
      if (!this.#loggers.has(subsystem)) throw unknownSubsystem(subsystem, this.subsystems())
      this.#levels.set(subsystem, level)
    }
    for (const [name, logger] of this.#loggers) logger.level = this.#levels.get(name) ?? this.#defaultLevel
  }

  /** Names of the subsystems that have asked for a log, sorted. */
  subsystems(): string[] {
    return [...this.#loggers.keys()].sort()
  }

  /** Each subsystem's level now. */
  levels(): Record<string, LogLevel> {
    return Object.fromEntries(
      this.subsystems().map((name) => [name, this.#levels.get(name) ?? this.#defaultLevel]),
    )
  }

  #subsystem(name: string): pino.Logger {
    const known = this.#loggers.get(name)
    if (known !== undefined) return known
    const logger = this.#root.child({ logger: name }, { level: this.#levels.get(name) ?? this.#defaultLevel })
    this.#loggers.set(name, logger)
    return logger
  }
}

function unknownSubsystem(name: string, known: readonly string[]): SealyardError {
  return new SealyardError({
    code: 'UNKNOWN_SUBSYSTEM',
    level: 'permanent',
    message: `there is no subsystem '${name}'; there are ${known.join(', ')}`,
  })
}

/** A log that keeps nothing, for calls that need one and have nobody to read it. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/** @throws SealyardError BAD_LOG_LEVEL */
export function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === text.toLowerCase())
  if (level !== undefined) return level
  throw new SealyardError({
    code: 'BAD_LOG_LEVEL',
    level: 'permanent',
    message: `'${text}' is not a log level; use one of ${LOG_LEVELS.join(', ')}`,
  })
}

/** Writes before it returns, so that the last words of a dying process are not lost. */
function stderrWriter(): (line: string) => void {
  const stderr = pino.destination({ fd: 2, sync: true })
  // Whoever read our stderr has gone: no reason to die.
  stderr.on('error', () => undefined)
  return (line) => void stderr.write(line)
}

const SECRET_KEY = /"(token|authorization|secret|password)":"(?:[^"\\]|\\.)*"/gi
const JSON_WEB_TOKEN = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g
const BEARER = /\b(Bearer\s+)[^\s"\\]+/gi

/** A log is shown to others: tokens in it, in fields or in text, become `[redacted]`. */
export function redactTokens(line: string): string {
  return line
    .replace(SECRET_KEY, '"$1":"[redacted]"')
    .replace(JSON_WEB_TOKEN, '[redacted]')
    .replace(BEARER, '$1[redacted]')
}

/** lotus' console line, without file and line: local time, level, subsystem, message, fields; tabs between. */
export function consoleLine(jsonLine: string): string {
  const { ts, level, logger, msg, ...fields } = JSON.parse(jsonLine) as Record<string, unknown>
  const columns = [localTime(new Date(String(ts))), String(level).toUpperCase(), String(logger), String(msg)]
  if (Object.keys(fields).length > 0) columns.push(JSON.stringify(fields))
  return `${columns.join('\t')}\n`
}

/** `2021-12-22T16:45:03.603+0800` */
function localTime(date: Date): string {
  const offset = -date.getTimezoneOffset()
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1)
  const zone = String(Math.floor(Math.abs(offset) / 60)).padStart(2, '0')
  return `${local}${offset < 0 ? '-' : '+'}${zone}${String(Math.abs(offset) % 60).padStart(2, '0')}`
}
