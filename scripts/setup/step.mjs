/** Runs the commands of one set-up step: output into a log, a line of progress now and then, plain failure. */
import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { LOGS, TOP } from './paths.mjs'

const PROGRESS_EVERY_MS = 15_000
const LINES_SHOWN = 30

/** A step that failed, with what an operator should do. */
export class StepFailed extends Error {
  constructor(step, message, advice) {
    super(message)
    this.step = step
    this.advice = advice
  }
}

export function say(text) {
  console.error(`set-up: ${text}`)
}

export function seconds(ms) {
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`
}

/** Announces a step, runs it, tells how long it took. @returns what the work returns */
export async function step(title, work) {
  const began = performance.now()
  say(`${title} …`)
  const result = await Promise.resolve(work()).catch((error) => {
    // A full or read-only disk is no bug of ours: its message is enough.
    throw typeof error.syscall === 'string' ? new StepFailed(title, error.message) : error
  })
  say(`${title}: done in ${seconds(performance.now() - began)}`)
  return result
}

/**
 * Runs one command with its output in build/logs/<name>.log.
 * @param progress turns a line of output into a short text for the progress line, or null
 * @throws StepFailed with the log's last lines
 */
export async function run(name, command, args, { env = process.env, cwd = TOP, progress, advice } = {}) {
  mkdirSync(LOGS, { recursive: true })
  const logPath = join(LOGS, `${name}.log`)
  const log = createWriteStream(logPath)
  log.write(`$ ${command} ${args.join(' ')}\n`)
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const began = performance.now()
  let latest = null
  const watch = (chunk) => {
    log.write(chunk)
    if (!progress) return
    for (const line of String(chunk).split('\n')) latest = progress(line) ?? latest
  }
  child.stdout.on('data', watch)
  child.stderr.on('data', watch)
  const timer = setInterval(
    () => say(`${name}: ${seconds(performance.now() - began)}${latest ? `, ${latest}` : ''}`),
    PROGRESS_EVERY_MS,
  )
  const end = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) =>
      resolve(code === 0 ? null : signal ? `ended by ${signal}` : `exit code ${code}`),
    )
  })
  clearInterval(timer)
  await new Promise((resolve) => log.end(resolve))
  if (end === null) return
  const lines = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-LINES_SHOWN)
  throw new StepFailed(
    name,
    `${command} failed (${end}); the last lines of ${relative(TOP, logPath)}:\n${lines.map((line) => `    ${line}`).join('\n')}`,
    advice,
  )
}

/** Progress of cargo: how many packages of the lock file it has begun. */
export function cargoProgress(lockfile) {
  let total = '?'
  try {
    total = readFileSync(lockfile, 'utf8').split('[[package]]').length - 1
  } catch {
    // Without a lock file cargo itself will say what is wrong.
  }
  let begun = 0
  return (line) => {
    const match = /^\s*(Compiling|Checking|Downloading|Updating|Blocking) (.*)/.exec(line)
    if (match === null) return null
    if (match[1] === 'Compiling' || match[1] === 'Checking') begun++
    return `${begun} of up to ${total} crates, now ${match[0].trim().toLowerCase()}`
  }
}
