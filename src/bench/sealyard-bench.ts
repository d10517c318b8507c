import { tmpdir } from 'node:os'
import { Command, CommanderError, Option } from 'commander'
import { parseBytes } from '../base/bytes.ts'
import { describeError, isSealyardError } from '../base/errors.ts'
import { benchError } from './errors.ts'
import { benchFinalize, type FinalizeOptions } from './finalize.ts'
import { MOVE_PEERS } from './move-peers.ts'
import { formatFinalize, formatServe } from './report.ts'
import { benchServe, type ServeOptions } from './serve.ts'
import { SERVE_PEERS } from './servers.ts'

/** Files smaller than this are no sector's, and larger ones no bench's. */
const SIZES = { least: 2048, most: 2 ** 40 }

interface Flags {
  size: number
  rounds: number
  directory: string
  json?: true
}

const interrupted = new AbortController()

const bench = new Command('sealyard-bench')
  .description('How fast this machine moves and serves sector files, beside what would be used instead')
  .exitOverride()
  .showHelpAfterError("(try 'sealyard-bench --help')")

addCommon(bench.command('finalize'))
  .description('move a file to its store, by the mover and by cp, mv or rsync')
  .option('--to <dir>', 'move to this directory, best on another filesystem (default: --directory)')
  .addOption(new Option('--peer <program>', 'compare with').choices(MOVE_PEERS).default('cp'))
  .addOption(
    new Option('--method <method>', 'how the mover moves; any: as a daemon would')
      .choices(['any', 'rename', 'clone', 'copy'])
      .default('copy'),
  )
  .option('--hot', 'begin with the source in the page cache')
  .action(async (flags: Flags & Pick<FinalizeOptions, 'peer' | 'method'> & { to?: string; hot?: true }) => {
    const { size, rounds, directory, peer, method } = flags
    const report = await benchFinalize(
      {
        sizeBytes: size,
        rounds,
        from: directory,
        to: flags.to ?? directory,
        peer,
        method,
        source: flags.hot ? 'hot' : 'cold',
      },
      interrupted.signal,
    )
    print(flags, report, formatFinalize)
  })

addCommon(bench.command('serve'))
  .description('serve a file over loopback, by the front door and by nginx or Node')
  .addOption(
    new Option('--peer <server>', 'compare with; auto: nginx where it is installed, else node')
      .choices(['auto', ...SERVE_PEERS])
      .default('auto'),
  )
  .option('--requests <n>', 'downloads in a row that make one sample', wholeNumber, 4)
  .option('--cold', 'begin each sample without the file in the page cache (then --requests 1 says most)')
  .action(async (flags: Flags & Pick<ServeOptions, 'peer' | 'requests'> & { cold?: true }) => {
    const { size, rounds, directory, peer, requests } = flags
    const file = flags.cold ? 'cold' : 'hot'
    const options: ServeOptions = { sizeBytes: size, rounds, directory, peer, requests, file }
    print(flags, await benchServe(options, interrupted.signal), formatServe)
  })

function addCommon(command: Command): Command {
  return command
    .exitOverride()
    .option('--size <size>', 'of the file', fileSize, fileSize('512MiB'))
    .option('--rounds <n>', 'each measures both sides once', wholeNumber, 5)
    .option('--directory <dir>', 'where its scratch directory is made and removed', tmpdir())
    .option('--json', 'print everything that was measured as JSON')
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
  return isSealyardError(error, 'USAGE') || isSealyardError(error, 'BAD_SIZE') ? 2 : 1
}

await main()
