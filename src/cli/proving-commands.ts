import { Command } from 'commander'
import { formatDuration } from '../base/duration.ts'
import { sealerClient } from './nodes.ts'
import { terminal } from './program.ts'
import { sectorNumber } from './usage.ts'

/** `proving window-post`: whether what was stored can still be proven. */
export function provingCommands(repo: () => string | undefined): Command {
  const proving = new Command('proving').description('prove that stored sectors are good')
  proving
    .command('window-post')
    .description('make and verify a real window PoSt, read through every node that sees the sectors')
    .argument('<sectors...>', 'sector numbers')
    .option('--json', 'as JSON')
    .action(async (texts: string[], flags: { json?: true }) => {
      const report = await (await sealerClient(repo(), terminal.env)).ProveWindowPost(texts.map(sectorNumber))
      if (flags.json) terminal.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
      else {
        for (const reading of report.readings) {
          terminal.stdout.write(
            `sector ${reading.sector} read through ${reading.url} in ${formatDuration(reading.milliseconds)}\n`,
          )
        }
        const challenge = report.offline ? ' (offline: the challenge was made up locally)' : ''
        const verdict = report.valid ? 'valid' : 'NOT VALID'
        terminal.stdout.write(
          `window PoSt ${verdict}, ${report.proofBytes} bytes, ${report.seconds.toFixed(1)} s${challenge}\n`,
        )
      }
      if (!report.valid) process.exitCode = 1
    })
  return proving
}
