import { Command, Option } from 'commander'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/log.ts'
import { listParameters } from '../proofs/list-parameters.ts'
import { makeParameters } from '../proofs/make-parameters.ts'
import { CIRCUITS, type Circuit, ownParameterDirectory, parameterDirectory } from '../proofs/parameters.ts'
import { SEAL_PROOFS, type SectorSizeName } from '../sectors/proof-types.ts'
import { terminal } from './program.ts'
import { formatTable } from './table.ts'
import { usage } from './usage.ts'

/** `parameters make|list`: the Groth16 parameters that proofs need. */
export function parametersCommands(): Command {
  const parameters = new Command('parameters').description(
    'proof parameters: which are here; make those for tests',
  )
  parameters
    .command('make')
    .description('make the parameters of one circuit for 2 KiB sectors, in Sealyard’s own cache')
    .addOption(new Option('--circuit <circuit>', 'what they are for').choices(CIRCUITS).makeOptionMandatory())
    .requiredOption('--sector-size <size>', '2KiB; larger ones are downloaded from the network, not made')
    .action((flags: { circuit: Circuit; sectorSize: string }) =>
      make(flags.circuit, sizeName(flags.sectorSize)),
    )
  parameters
    .command('list')
    .description('show which parameters are in the directory that the executor reads')
    .option('--directory <dir>', 'look there (FIL_PROOFS_PARAMETER_CACHE, then Sealyard’s own cache)')
    .option('--json', 'as JSON')
    .action((flags: { directory?: string; json?: true }) => list(flags.directory ?? '', flags.json === true))
  return parameters
}

async function make(circuit: Circuit, size: SectorSizeName): Promise<void> {
  const { env, stdout, stderr } = terminal
  const onLine = (line: string) => void stderr.write(`${line}\n`)
  const directory = await makeParameters({ circuit, sizeName: size, env, onLine })
  stdout.write(`${directory}\n`)
  if (parameterDirectory('', env) === ownParameterDirectory(env)) return
  stderr.write(
    'FIL_PROOFS_PARAMETER_CACHE is set to another directory: daemons with this environment read that one\n',
  )
}

async function list(chosen: string, asJson: boolean): Promise<void> {
  const { env, stdout } = terminal
  const directory = parameterDirectory(chosen, env)
  const rows = await listParameters({ directory, env, log: silentLogger, clock: systemClock })
  if (asJson) {
    stdout.write(`${JSON.stringify({ directory, parameters: rows }, null, 2)}\n`)
    return
  }
  const table = rows.map(({ circuit, sizeName, parameters, verifyingKey, canProve, canVerify }) => [
    circuit,
    sizeName,
    canProve ? 'yes' : 'no',
    canVerify ? 'yes' : 'no',
    parameters.state,
    verifyingKey.state,
  ])
  stdout.write(`${directory}\n\n`)
  stdout.write(formatTable(['Circuit', 'Sectors', 'Proves', 'Verifies', 'Parameters', 'Key'], table))
}

/** @throws SealyardError USAGE */
function sizeName(text: string): SectorSizeName {
  const proof = SEAL_PROOFS.find((each) => each.sizeName.toLowerCase() === text.toLowerCase())
  if (proof !== undefined) return proof.sizeName
  throw usage(`'${text}' is not a sector size; write 2KiB, 8MiB, 512MiB, 32GiB or 64GiB`)
}
