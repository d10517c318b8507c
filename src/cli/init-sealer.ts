import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { SealerTokens } from '../api/auth.ts'
import { parseBytes } from '../base/bytes.ts'
import { errorCode, SealyardError } from '../base/errors.ts'
import { makeDirectories } from '../base/make-directories.ts'
import { defaultConfigFile } from '../config/load-settings.ts'
import { proofTypeForSize } from '../sectors/proof-types.ts'
import { parseMinerAddress } from '../sectors/sector-id.ts'
import { readMinerFile, writeMinerFile } from './miner-file.ts'
import { repoOf } from './nodes.ts'
import { terminal } from './program.ts'

/** `init`: makes a sealer's repo, once. */
export function initCommand(repo: () => string | undefined): Command {
  return new Command('init')
    .description("make the sealer's repo")
    .requiredOption('--actor <address>', 'the miner, such as f01005')
    .requiredOption('--sector-size <size>', '2KiB, 8MiB, 512MiB, 32GiB or 64GiB')
    .action(async (flags: { actor: string; sectorSize: string }) => {
      const miner = parseMinerAddress(flags.actor)
      const sectorSize = parseBytes(flags.sectorSize)
      proofTypeForSize(sectorSize)
      const directory = repoOf('sealer', repo(), terminal.env)
      await initSealer(directory, miner, sectorSize)
      const start = repo() === undefined ? 'sealyard-sealer run' : `sealyard-sealer --repo ${directory} run`
      terminal.stdout.write(`Made the repo ${directory} for miner ${flags.actor}; start it with '${start}'\n`)
    })
}

/** @throws SealyardError REPO_EXISTS, and changes nothing then */
export async function initSealer(directory: string, miner: number, sectorSize: number): Promise<void> {
  if ((await readMinerFile(directory)) !== null) throw exists(directory, 'is a sealer repo already')
  const names = await namesIn(directory)
  // A config written beforehand is welcome; anything else is somebody's.
  const foreign = names.filter((name) => name !== 'config.toml')
  if (foreign.length > 0) throw exists(directory, `is not empty: it holds ${foreign.slice(0, 5).join(', ')}`)
  await makeDirectories(directory, 0o700)
  if (!names.includes('config.toml')) {
    await writeFile(join(directory, 'config.toml'), defaultConfigFile('sealer'), { flag: 'wx' })
  }
  await SealerTokens.open(directory)
  // Last: with it the repo counts as made, and an init that was cut short can be run again.
  await writeMinerFile(directory, { Miner: miner, SectorSize: sectorSize })
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name !== 'keystore')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

function exists(directory: string, why: string): SealyardError {
  return new SealyardError({
    code: 'REPO_EXISTS',
    level: 'permanent',
    message: `${directory} ${why}; name another directory with --repo`,
  })
}
