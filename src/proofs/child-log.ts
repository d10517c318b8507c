import { z } from 'zod'
import type { LogFields, Logger } from '../base/log.ts'
import { LineSplitter } from './line-splitter.ts'

const MAX_LINE_BYTES = 4096
/** Lines a second that are passed on; a child that says more is summed up. */
const MAX_LINES_PER_SECOND = 200
/** The last lines, kept for the error message of a child that dies. */
const KEPT_LINES = 5

const logLine = z.object({
  level: z.string().default('info'),
  target: z.string().optional(),
  msg: z.string().optional(),
  message: z.string().optional(),
})

/** Passes a child's stderr on to our log, line by line, as much of it as a reader can use. */
export class ChildLog {
  readonly #log: Logger
  readonly #fields: LogFields
  readonly #splitter = new LineSplitter(MAX_LINE_BYTES)
  readonly #last: string[] = []
  #second = 0
  #passedOn = 0
  #suppressed = 0

  constructor(log: Logger, fields: LogFields) {
    this.#log = log
    this.#fields = fields
  }

  /** @param monotonicMs when these bytes came */
  push(chunk: Buffer, monotonicMs: number): void {
    for (const line of this.#splitter.push(chunk))
      this.#line(line ?? '(a line of more than 4 KiB)', monotonicMs)
  }

  /** Says what was left out. */
  end(): void {
    if (this.#suppressed > 0)
      this.#log.warn('the child logged too much', { ...this.#fields, suppressed: this.#suppressed })
    this.#suppressed = 0
  }

  /** Its last words, on one line. */
  get lastWords(): string {
    return this.#last.join('; ')
  }

  #line(line: string, monotonicMs: number): void {
    const { level, text, target } = parseLine(line)
    this.#last.push(text)
    if (this.#last.length > KEPT_LINES) this.#last.shift()
    const second = Math.floor(monotonicMs / 1000)
    if (second !== this.#second) this.#passedOn = 0
    this.#second = second
    if (this.#passedOn++ >= MAX_LINES_PER_SECOND) {
      this.#suppressed++
      return
    }
    this.#log[level](text, target === null ? this.#fields : { ...this.#fields, target })
  }
}

function parseLine(line: string): {
  level: 'debug' | 'info' | 'warn' | 'error'
  text: string
  target: string | null
} {
  const parsed = logLine.safeParse(parseJson(line))
  if (!parsed.success) return { level: 'info', text: line, target: null }
  const level = parsed.data.level.toLowerCase()
  return {
    level: level === 'error' || level === 'warn' || level === 'info' ? level : 'debug',
    text: parsed.data.msg ?? parsed.data.message ?? line,
    target: parsed.data.target ?? null,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
