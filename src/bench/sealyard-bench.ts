import { tmpdir } from 'node:os'
import { Command, CommanderError, Option } from 'commander'
import { parseBytes } from '../base/bytes.ts'
import { describeError, isSealyardError } from '../base/errors.ts'
import { CANDIDATES, type CandidateName, installedCandidates } from './candidates.ts'
import { benchError } from './errors.ts'
import {
  benchFetches,
  FETCH_CANDIDATES,
  type FetchCandidateName,
  type FetchOptions,
  installedClients,
} from './fetch.ts'
import { benchFinalize, type FinalizeOptions } from './finalize.ts'
import { SCENARIOS } from './layouts.ts'
import { NETWORKS } from './network.ts'
import { formatFinalize, formatStatLatency } from './report.ts'
import { formatFetch } from './report-fetch.ts'
import { formatServe } from './report-serve.ts'
import { benchServe } from './serve.ts'
import { SERVE_CASES } from './serve-cases.ts'
import type { ServeOptions } from './serve-rounds.ts'
import { installedServers, SERVE_CANDIDATES, type ServeCandidateName } from './servers.ts'
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

/** Each has a file of its own, and nginx takes 1024 in all. */
const MOST_CONNECTIONS = 256

const interrupted = new AbortController()

const bench = new Command('sealyard-bench')
  .description(
    'How fast this machine moves, serves and fetches sector files, beside what would be used instead',
  )
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
  .addOption(names('--candidates <names>', 'default: all that are installed', CANDIDATES))
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

type ServeFlags = Flags &
  Pick<ServeOptions, 'directory' | 'cases' | 'state' | 'network'> & {
    candidates?: ServeCandidateName[]
    connections?: number[]
    congestionControl?: string
    control?: true
  }

addDirectory(addCommon(bench.command('serve')))
  .description('serve files and the tar of a cache directory, by the front door and by other servers')
  .option(
    '--connections <n,…>',
    'at a time (default: 1,8,64 for file, 16 for small, 1 for tar)',
    connectionCounts,
  )
  .addOption(names('--cases <names>', 'what is served', SERVE_CASES).default([...SERVE_CASES], 'all'))
  .addOption(choice('--state <state>', 'of the files in the page cache', ['hot', 'cold'], 'hot'))
  .addOption(names('--candidates <names>', 'default: all that are installed', SERVE_CANDIDATES))
  .addOption(choice('--network <network>', 'veth: two network namespaces, as root', NETWORKS, 'loopback'))
  .option('--congestion-control <name>', "of all servers, with --network veth (default: the system's)")
  .option('--control', 'how long small calls take on the same port, idle and while 8 connections download')
  .action(async (flags: ServeFlags) => {
    const { size, rounds, directory, cases, state, network, connections, congestionControl, control } = flags
    const options: ServeOptions = {
      ...{ directory, sizeBytes: size, rounds, cases, state, network },
      candidates: flags.candidates ?? installedServers(),
      connections: connections ?? null,
      congestionControl: congestionControl ?? null,
      control: control ?? false,
    }
    print(flags, await benchServe(options, interrupted.signal), formatServe)
  })

addDirectory(addCommon(bench.command('fetch')))
  .description('fetch a file to disk from one local server, as daemons do and by what is used instead')
  .addOption(names('--candidates <names>', 'default: all that are installed', FETCH_CANDIDATES))
  .action(async (flags: Flags & { directory: string; candidates?: FetchCandidateName[] }) => {
    const { size, rounds, directory, candidates = installedClients() } = flags
    const options: FetchOptions = { directory, sizeBytes: size, rounds, candidates }
    print(flags, await benchFetches(options, interrupted.signal), formatFetch)
  })

function addCommon(command: Command): Command {
  return command
    .exitOverride()
    .option('--size <size>', 'of each file, or of the sector', fileSize, fileSize('512MiB'))
    .option('--rounds <n>', 'each measures all of them once', wholeNumber, 5)
    .option('--json', 'print everything that was measured as JSON')
}

function addDirectory(command: Command): Command {
  return command.option('--directory <dir>', 'where its scratch directory is made and removed', tmpdir())
}

function addFromTo(command: Command): Command {
  return command
    .option('--source <dir>', 'copy from a scratch directory made here', tmpdir())
    .option('--target <dir>', 'copy to here, best on another filesystem (default: --source)')
}

function choice(flags: string, words: string, choices: readonly string[], otherwise: string): Option {
  return new Option(flags, words).choices(choices).default(otherwise)
}

/** A flag that takes some of `known`, with commas between them. */
function names<Name extends string>(flags: string, words: string, known: readonly Name[]): Option {
  const [flag] = flags.split(' ')
  return new Option(flags, `${words}; of ${known.join(',')}`).argParser((text: string): Name[] => {
    const found = text.split(',').map((name) => known.find((each) => each === name))
    if (found.every((name) => name !== undefined)) return [...new Set(found)]
    throw benchError('USAGE', `${flag} ${text}: take some of ${known.join(',')}`)
  })
}

function connectionCounts(text: string): number[] {
  const counts = text.split(',').map(wholeNumber)
  if (counts.every((count) => count <= MOST_CONNECTIONS)) return [...new Set(counts)]
  throw benchError('USAGE', `--connections ${text}: take at most ${MOST_CONNECTIONS} at a time`)
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
