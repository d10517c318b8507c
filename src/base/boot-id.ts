import { readFileSync } from 'node:fs'

/** Another one after each start of the machine: what was only in memory before it is lost. Empty when unknown. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
