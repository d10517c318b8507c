import { SealyardError } from '../base/errors.ts'

/** A sector as the field's JSON writes it: miner actor id and sector number, both whole numbers. */
export interface SectorId {
  readonly Miner: number
  readonly Number: number
}

/** A sector and its seal proof type (the field's integer, see `proof-types.ts`). */
export interface SectorRef {
  readonly ID: SectorId
  readonly ProofType: number
}

const SECTOR_NAME = /^s-t0(\d{1,16})-(\d{1,16})$/

/** The sector's file name, `s-t01000-7`; the `t` stands on every network. */
export function sectorName(sector: SectorId): string {
  return `s-t0${sector.Miner}-${sector.Number}`
}

/** @returns the sector that a file name stands for, or null when it is no sector's name */
export function parseSectorName(name: string): SectorId | null {
  const match = SECTOR_NAME.exec(name)
  if (match === null) return null
  const sector = { Miner: Number(match[1]), Number: Number(match[2]) }
  return Number.isSafeInteger(sector.Miner) && Number.isSafeInteger(sector.Number) ? sector : null
}

/** Reads `f01005` or `t01005`. @throws SealyardError BAD_ADDRESS when it is no ID address */
export function parseMinerAddress(address: string): number {
  const match = /^[ft]0(\d{1,16})$/.exec(address)
  const miner = match === null ? Number.NaN : Number(match[1])
  if (Number.isSafeInteger(miner)) return miner
  throw new SealyardError({
    code: 'BAD_ADDRESS',
    level: 'permanent',
    message: `'${address}' is not a miner ID address; write it like f01005`,
  })
}

/** The address as mainnet tools print it. */
export function minerAddress(miner: number): string {
  return `f0${miner}`
}

export function sameSector(a: SectorId, b: SectorId): boolean {
  return a.Miner === b.Miner && a.Number === b.Number
}
