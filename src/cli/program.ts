import { Command, CommanderError } from 'commander'
import { describeError, isSealyardError, SealyardError } from '../base/errors.ts'

/** What every command may ask of its surroundings; tests give their own. */
export interface Terminal {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: NodeJS.ProcessEnv
}

export const terminal: Terminal = { stdout: process.stdout, stderr: process.stderr, env: process.env }

/** A program whose usage errors end with status 2, as `main` maps them. */
export function program(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .exitOverride()
    .showHelpAfterError(`(try '${name} --help')`)
    .enablePositionalOptions()
}

/**
 * Runs a program to its exit status: 0; 1 refused or failed, one line on stderr; 2 wrong usage.
 * (130 for an interrupt is set where the signal is taken.)
 */
export async function main(command: Command, argv: readonly string[]): Promise<void> {
  try {
    inheritExits(command)
    await command.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
      return
    }
    process.stderr.write(`${command.name()}: ${describeError(error)}${whatToDo(error)}\n`)
    // At once: a daemon whose start failed may hold a socket or a timer that would keep it up for ever, unseen.
    process.exit(error instanceof SealyardError && error.code === 'USAGE' ? 2 : 1)
  }
}

/** What other rooms cannot say, because they do not know that somebody typed a command. */
function whatToDo(error: unknown): string {
  if (isSealyardError(error, 'NO_PERMISSION')) {
    return "; use a token that has it: 'sealyard-sealer auth api-info --perm admin' prints one"
  }
  if (isSealyardError(error, 'CONNECTION') || isSealyardError(error, 'TIMEOUT'))
    return '; does the node run there, and is that its address?'
  return ''
}

/** Sub-commands do not inherit exitOverride from a parent that is set later. */
function inheritExits(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride()
    inheritExits(child)
  }
}

/** `a,b` given once or several times → ['a', 'b']; lotus' group flags work like this. */
export function collectNames(value: string, earlier: readonly string[]): string[] {
  return [...earlier, ...value.split(',').filter((name) => name !== '')]
}
