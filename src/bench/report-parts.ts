import { formatBytes } from '../base/bytes.ts'
import type { FilesystemFacts, Machine } from './machine.ts'
import type { Summary } from './statistics.ts'

/** Half of what the machine can do, done by others, is more than most differences. */
export function busy({ load, cores }: Machine): string[] {
  if (load <= cores / 2) return []
  return [
    '',
    `Load ${load.toFixed(1)} on ${cores} cores: something else is running, so look at the spread before the ratio.`,
  ]
}

/** @param isPrimed whether memory is taken and given back before each sample, see `primeMemory` */
export function machineLine(machine: Machine, isPrimed = true): string {
  const { cpu, cores, memoryBytes, kernel, virtual, load } = machine
  const primed = isPrimed ? ' (memory primed before each sample)' : ''
  const kind = virtual ? `, virtual machine${primed}` : ''
  const facts = `${cores} cores, ${formatBytes(memoryBytes)}, Linux ${kernel}${kind}, load ${load.toFixed(1)}`
  return `machine  ${cpu}, ${facts}`
}

export function filesystemLine({ directory, type, device }: FilesystemFacts): string {
  return `${directory} (${type} on ${device})`
}

export function aligned(rows: readonly string[][]): string[] {
  const width = (column: number) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(width(column)))
      .join('   ')
      .trimEnd(),
  )
}

/** `0.412 (0.398–0.451)`: the median, and the least and the most. */
export function spread({ median, min, max }: Summary, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

export function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`
}

/** A ratio with its spread; null: the rounds were too short for it. */
export function times(summary: Summary | null): string {
  return summary === null ? 'too short' : spread(summary, 2)
}

/** BBR sends by timers of the kernel, whose time no process is charged for. */
export function pacing(congestionControl: string): string[] {
  if (congestionControl !== 'bbr') return []
  return [
    '',
    "With bbr part of the sending is in no server's CPU time: compare the whole machine, when it is quiet.",
  ]
}

/** Bytes in the page cache, where that can be told. */
export function cached(bytes: number | null): string {
  return bytes === null ? 'unknown' : formatBytes(bytes)
}

export function gigabytes(bytesPerSecond: number): string {
  return (bytesPerSecond / 1e9).toFixed(2)
}
