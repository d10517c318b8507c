import { SealyardError } from './errors.ts'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const

/**
 * Bytes as lotus prints them: four significant digits and a binary unit: `1.072 TiB`, `208.6 GiB`, `0 B`.
 * @param bytes a whole number or a fraction; negative ones keep their sign
 */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes)
  let unit = 0
  while (value >= 1024 && unit + 1 < UNITS.length) {
    value /= 1024
    unit++
  }
  // Number() drops the zeros that toPrecision leaves, as Go's %.4g does: 451.2 GiB, 32 GiB.
  const digits = Number(value.toPrecision(4))
  return `${bytes < 0 ? '-' : ''}${digits} ${UNITS[unit]}`
}

const SIZE = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])?(?:ib|b)?)$/i

/**
 * Reads a size as docker and lotus do: every unit is binary, `1t` = `1T` = `1TB` = `1TiB`; none means bytes.
 * @returns whole bytes
 * @throws SealyardError BAD_SIZE when it is no size, or more than 8 PiB, which a number cannot hold exactly
 */
export function parseBytes(text: string): number {
  const match = SIZE.exec(text.trim())
  const power = match === null ? 0 : ' kmgtp'.indexOf((match[2] ?? ' ').toLowerCase())
  const bytes = match === null ? Number.NaN : Math.floor(Number(match[1]) * 1024 ** power)
  if (Number.isSafeInteger(bytes)) return bytes
  throw new SealyardError({
    code: 'BAD_SIZE',
    level: 'permanent',
    message: `'${text}' is not a size; write it like 32GiB, 1TiB, 512m or a number of bytes (at most 8 PiB)`,
  })
}
