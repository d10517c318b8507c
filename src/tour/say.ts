import { formatBytes } from '../base/bytes.ts'

const started = performance.now()

/** One line of the tour, with the seconds since it began. */
export function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5)
  process.stdout.write(`${seconds}s  ${text}\n`)
}

/** A heading between parts. */
export function heading(text: string): void {
  process.stdout.write(`\n== ${text}\n`)
}

/** A command and what it printed, as an operator would see them. */
export function show(command: string, output: string): void {
  process.stdout.write(`\n$ ${command}\n${output.endsWith('\n') ? output : `${output}\n`}`)
}

/** `8 KiB in 3 ms` */
export function amount(bytes: number, seconds: number): string {
  return `${formatBytes(bytes)} in ${seconds < 1 ? `${Math.max(1, Math.round(seconds * 1000))} ms` : `${seconds.toFixed(1)} s`}`
}
