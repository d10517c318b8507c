import test from 'ava'
import type { Command } from 'commander'
import { sealerProgram } from '../../src/cli/sealer-program.ts'
import { workerProgram } from '../../src/cli/worker-program.ts'
import { filesBelow, read } from '../source-files.ts'

const PROGRAMS = ['sealer', 'worker'] as const
type Program = (typeof PROGRAMS)[number]

/** Inline code of README that begins like a command and is none of ours. */
const NO_COMMANDS = [
  'admin',
  'allow-to',
  'false',
  'git pull',
  'port … is in use',
  'this process may have … files open',
  'this repo is in use by process …',
  'true',
  'ulimit -Hn 100000',
]

interface Named {
  readonly text: string
  /** null where the text leaves it to the reader which of the two is meant. */
  readonly program: Program | null
  readonly words: readonly string[]
  readonly flags: readonly string[]
}

function asCommand(text: string): Named {
  const [first = '', ...rest] = text.split(' ')
  const [, program = null] = /^(?:bin\/)?sealyard-(sealer|worker)$/.exec(first) ?? []
  const tokens = program === null ? [first, ...rest] : rest
  // The one flag that stands before the command.
  const own = tokens[0] === '--repo' ? tokens.slice(2) : tokens
  const end = own.findIndex((word) => !/^[a-z][a-z0-9-]*$/.test(word))
  const words = own.slice(0, end === -1 ? own.length : end)
  const flags = tokens.flatMap((word) => /^--[a-z][a-z-]*/.exec(word)?.[0] ?? [])
  return { text, program: program as Program | null, words, flags }
}

const README = read('README.md')
const BLOCKS = [...README.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'))
const INLINE = [...README.replaceAll(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
const CODE = [...new Set([...BLOCKS, ...INLINE])]

const npmLines = CODE.filter((code) => code.startsWith('npm '))
const loneFlags = CODE.filter((code) => /^--[a-z-]+$/.test(code))
const named = CODE.filter(
  (code) =>
    /^(bin\/)?[a-z][a-z-]*( |$)/.test(code) && !/^(npm|export) /.test(code) && !NO_COMMANDS.includes(code),
).map(asCommand)

const COMMAND_LINES = { sealer: sealerProgram(), worker: workerProgram() }

/** A command, or null when there is none of these words. */
function commandOf(program: Program, words: readonly string[]): Command | null {
  let found: Command | undefined = COMMAND_LINES[program]
  for (const word of words) found = found?.commands.find((each) => each.name() === word)
  return found ?? null
}

/** Those that one may type below a command, itself included. */
function allBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allBelow)]
}

const has = (help: string, flag: string) => new RegExp(`${flag}(?![a-z-])`).test(help)

/** Whether a program knows it, with each of its flags. */
function isKnown({ program, words, flags }: Named): boolean {
  return (program === null ? PROGRAMS : [program]).some((each) => {
    const help = commandOf(each, words)?.helpInformation()
    return help !== undefined && flags.every((flag) => flag === '--repo' || has(help, flag))
  })
}

test('every command that README names, in a block or in its text, is in the help, with its flags', (t) => {
  t.true(named.length > 30, `only ${named.length} commands are named`)
  for (const each of named) t.true(isKnown(each), `README names '${each.text}', which no program knows`)
  const helps = PROGRAMS.flatMap((program) => allBelow(COMMAND_LINES[program])).map((each) =>
    each.helpInformation(),
  )
  for (const flag of loneFlags) {
    t.true(
      helps.some((help) => has(help, flag)),
      `README names ${flag}, which no command knows`,
    )
  }
  // What is not there is noticed.
  for (const wrong of [
    'sectors pldge',
    'bin/sealyard-worker sectors list',
    'sectors list --jsn',
    'sealing abrt ID',
  ]) {
    t.false(isKnown(asCommand(wrong)), wrong)
  }
})

test('every npm command that README names is a script of package.json', (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  t.true(npmLines.length > 2)
  for (const line of npmLines)
    t.true((line.split(' ').at(line.startsWith('npm run ') ? 2 : 1) ?? '') in scripts, line)
})

test('every command that README names only in its text is typed by a flow test', (t) => {
  const tests = filesBelow('test/flows')
    .filter((file) => file.endsWith('.test.ts'))
    .map(read)
    .join('\n')
  const inBlocks = new Set(BLOCKS.map(asCommand).map(({ words }) => words.join(' ')))
  for (const { text, words } of named) {
    const typedAs = words.map((word) => `'${word}'`).join(', ')
    t.true(inBlocks.has(words.join(' ')) || tests.includes(typedAs), `no flow test types '${text}'`)
  }
})
