import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { errorCode, SealyardError } from '../base/errors.ts'
import { writeDurably } from '../base/write-durably.ts'

const minerFile = z.object({
  /** Actor ID: 1005 of f01005. */
  Miner: z.number().int().nonnegative(),
  /** Bytes. */
  SectorSize: z.number().int().positive(),
})
/** Whom a sealer seals for: decided once, by `init`. */
export type MinerFile = z.output<typeof minerFile>

const fileOf = (repo: string) => join(repo, 'miner.json')

/** @returns null when `init` has not made this repo */
export async function readMinerFile(repo: string): Promise<MinerFile | null> {
  let text: string
  try {
    text = await readFile(fileOf(repo), 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
  const parsed = minerFile.safeParse(jsonOf(text))
  if (parsed.success) return parsed.data
  throw new SealyardError({
    code: 'BAD_MINER_FILE',
    level: 'permanent',
    message: `${fileOf(repo)} is not what 'sealyard-sealer init' wrote: ${whatIsWrong(parsed.error)}; it should read like {"Miner":1005,"SectorSize":34359738368}`,
  })
}

/** @returns undefined for what is no JSON */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The first thing; an operator who has mended it is told the next. */
function whatIsWrong({ issues }: z.ZodError): string {
  const key = issues[0]?.path[0]
  return key === undefined ? 'it is no JSON object' : `'${String(key)}' is missing or is no whole number`
}

export async function writeMinerFile(repo: string, miner: MinerFile): Promise<void> {
  await writeDurably(fileOf(repo), `${JSON.stringify(miner, null, 2)}\n`)
}
