import { Command, Option } from 'commander'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/log.ts'
import { listParameters } from '../proofs/list-parameters.ts'
import { makeParameters } from '../proofs/make-parameters.ts'
import { CIRCUITS, type Circuit, parameterDirectories } from '../proofs/parameters.ts'
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
    .description('show which parameters are in the directories that the executor reads')
    .option('--directory <dir>', 'look there alone (FIL_PROOFS_PARAMETER_CACHE, then Sealyard’s own cache)')
    .option('--json', 'as JSON')
    .action((flags: { directory?: string; json?: true }) => list(flags.directory ?? '', flags.json === true))
  return parameters
}

async function make(circuit: Circuit, size: SectorSizeName): Promise<void> {
  const { env, stdout, stderr } = terminal
  const onLine = (line: string) => void stderr.write(`${line}\n`)
  const directory = await makeParameters({ circuit, sizeName: size, env, onLine })
  stdout.write(`${directory}\n`)
}

async function list(chosen: string, asJson: boolean): Promise<void> {
  const { env, stdout } = terminal
  const found = []
  for (const directory of parameterDirectories(chosen, env)) {
    const parameters = await listParameters({ directory, env, log: silentLogger, clock: systemClock })
    found.push({ directory, parameters })
  }
  if (asJson) stdout.write(`${JSON.stringify(found, null, 2)}\n`)
  else stdout.write(found.map(formatDirectory).join('\n'))
}

interface Listed {
  readonly directory: string
  readonly parameters: Awaited<ReturnType<typeof listParameters>>
}

function formatDirectory({ directory, parameters }: Listed): string {
  const rows = parameters.map((each) => [
    each.circuit,
    each.sizeName,
    each.canProve ? 'yes' : 'no',
    each.canVerify ? 'yes' : 'no',
    each.parameters.state,
    each.verifyingKey.state,
  ])
  const header = ['Circuit', 'Sectors', 'Proves', 'Verifies', 'Parameters', 'Key']
  return `${directory}\n\n${formatTable(header, rows)}`
}

/** @throws SealyardError USAGE */
function sizeName(text: string): SectorSizeName {
  const proof = SEAL_PROOFS.find((each) => each.sizeName.toLowerCase() === text.toLowerCase())
  if (proof !== undefined) return proof.sizeName
  throw usage(`'${text}' is not a sector size; write 2KiB, 8MiB, 512MiB, 32GiB or 64GiB`)
}
