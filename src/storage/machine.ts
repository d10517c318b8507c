import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'

/**
 * Which machine this is: a hash of `/etc/machine-id`, so that the id itself, which is meant to stay private,
 * is not told. Containers of one host that share no machine-id set the override.
 * @param override the operator's word for this machine; an empty one counts as none
 */
export async function machineId(override: string | null): Promise<string> {
  if (override) return override
  for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    const id = (await readFile(file, 'utf8').catch(() => '')).trim()
    if (id !== '') return hashed(`machine-id ${id}`)
  }
  return hashed(`hostname ${hostname()}`)
}

function hashed(text: string): string {
  return createHash('sha256').update(`sealyard ${text}`).digest('hex').slice(0, 32)
}
