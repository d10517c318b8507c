import { tmpdir } from 'node:os'
import { Command, CommanderError, Option } from 'commander'
import { parseBytes } from '../base/bytes.ts'
import { describeError, isSealyardError } from '../base/errors.ts'
import { CANDIDATES, type CandidateName, installedCandidates } from './candidates.ts'
import { benchError } from './errors.ts'
import { benchFinalize, type FinalizeOptions } from './finalize.ts'
import { SCENARIOS } from './layouts.ts'
import { formatFinalize, formatServe, formatStatLatency } from './report.ts'
import { benchServe, type ServeOptions } from './serve.ts'
import { SERVE_PEERS } from './servers.ts'
import { benchStatLatency } from './stat-latency.ts'

/** What is wrong with the command line, and not with this machine. */
const USAGE_CODES = ['USAGE', 'BAD_SIZE', 'UNSUPPORTED_SECTOR_SIZE']
/** Files smaller than this are no sector's, and larger ones no bench's. */
const SIZES = { least: 2048, most: 2 ** 40 }

interface Flags {
  size: number
  rounds: number
  json?: true
}

interface FromTo {
  source: string
  target?: string
}

const interrupted = new AbortController()

const bench = new Command('sealyard-bench')
  .description('How fast this machine moves and serves sector files, beside what would be used instead')
  .exitOverride()
  .showHelpAfterError("(try 'sealyard-bench --help')")

type FinalizeFlags = Flags &
  FromTo &
  Pick<FinalizeOptions, 'sourceState' | 'scenario' | 'method' | 'engine' | 'hash'> & {
    candidates?: CandidateName[]
    readBack?: true
  }

addFromTo(addCommon(bench.command('finalize')))
  .description('copy a sector file to its store, by the mover and by what is used instead')
  .addOption(choice('--source-state <state>', 'of the source in the page cache', ['cold', 'hot'], 'cold'))
  .option(
    '--candidates <names>',
    `of ${CANDIDATES.join(',')} (default: all that are installed)`,
    candidateNames,
  )
  .addOption(choice('--scenario <name>', 'what is moved; sector sizes are real ones', SCENARIOS, 'file'))
  .addOption(
    choice(
      '--method <method>',
      'how the mover moves; any: as daemons do',
      ['any', 'rename', 'clone', 'copy'],
      'copy',
    ),
  )
  .addOption(
    choice('--engine <engine>', 'how the mover copies', ['auto', 'direct', 'uncached', 'buffered'], 'auto'),
  )
  .addOption(choice('--hash <hash>', 'what the mover hashes on the way', ['off', 'xxh3', 'blake3'], 'off'))
  .option('--read-back', 'the mover reads the target again, past the page cache, and compares')
  .action(async (flags: FinalizeFlags) => {
    const { size, rounds, source, target = source, sourceState, scenario, method, engine, hash } = flags
    const options: FinalizeOptions = {
      ...{ source, target, sizeBytes: size, rounds, scenario, sourceState, method, engine, hash },
      candidates: flags.candidates ?? installedCandidates(),
      readBack: flags.readBack ?? false,
    }
    print(flags, await benchFinalize(options, interrupted.signal), formatFinalize)
  })

addFromTo(addCommon(bench.command('stat-latency')))
  .description('how long fs.stat takes in the process that copies, by the mover and by fs.copyFile')
  .option('--copies <n>', 'that run at a time', wholeNumber, 8)
  .action(async (flags: Flags & FromTo & { copies: number }) => {
    const { size, rounds, source, target = source, copies } = flags
    const options = { source, target, sizeBytes: size, rounds, copies }
    print(flags, await benchStatLatency(options, interrupted.signal), formatStatLatency)
  })

addCommon(bench.command('serve'))
  .description('serve a file over loopback, by the front door and by nginx or Node')
  .option('--directory <dir>', 'where its scratch directory is made and removed', tmpdir())
  .addOption(
    new Option('--peer <server>', 'compare with; auto: nginx where it is installed, else node')
      .choices(['auto', ...SERVE_PEERS])
      .default('auto'),
  )
  .option('--requests <n>', 'downloads in a row that make one sample', wholeNumber, 4)
  .option('--cold', 'begin each sample without the file in the page cache (then --requests 1 says most)')
  .action(async (flags: Flags & Pick<ServeOptions, 'peer' | 'requests' | 'directory'> & { cold?: true }) => {
    const { size, rounds, directory, peer, requests } = flags
    const file = flags.cold ? 'cold' : 'hot'
    const options: ServeOptions = { sizeBytes: size, rounds, directory, peer, requests, file }
    print(flags, await benchServe(options, interrupted.signal), formatServe)
  })

function addCommon(command: Command): Command {
  return command
    .exitOverride()
    .option('--size <size>', 'of each file, or of the sector', fileSize, fileSize('512MiB'))
    .option('--rounds <n>', 'each measures all of them once', wholeNumber, 5)
    .option('--json', 'print everything that was measured as JSON')
}

function addFromTo(command: Command): Command {
  return command
    .option('--source <dir>', 'copy from a scratch directory made here', tmpdir())
    .option('--target <dir>', 'copy to here, best on another filesystem (default: --source)')
}

function choice(flags: string, words: string, choices: readonly string[], otherwise: string): Option {
  return new Option(flags, words).choices(choices).default(otherwise)
}

function candidateNames(text: string): CandidateName[] {
  const names = text.split(',').map((name) => CANDIDATES.find((each) => each === name))
  if (names.every((name) => name !== undefined)) return [...new Set(names)]
  throw benchError('USAGE', `--candidates ${text}: take some of ${CANDIDATES.join(',')}`)
}

function fileSize(text: string): number {
  const bytes = parseBytes(text)
  if (bytes >= SIZES.least && bytes <= SIZES.most) return bytes
  throw benchError('USAGE', `--size ${text}: take one from 2KiB to 1TiB`)
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw benchError('USAGE', `'${text}' is not a whole number from 1 to 9999`)
}

function print<R>(flags: Flags, report: R, format: (report: R) => string): void {
  process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : format(report))
}

/** 0; 1 failed; 2 wrong usage; 130 interrupted. What was made is removed in every case. */
async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)))
  }
  try {
    await bench.parseAsync(process.argv.slice(2), { from: 'user' })
  } catch (error) {
    process.exitCode = statusOf(error)
    if (!(error instanceof CommanderError)) process.stderr.write(`sealyard-bench: ${describeError(error)}\n`)
  }
}

function statusOf(error: unknown): number {
  if (interrupted.signal.aborted) return 130
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return USAGE_CODES.some((code) => isSealyardError(error, code)) ? 2 : 1
}

await main()
