import { Command } from 'commander'
import { formatBytes, parseBytes } from '../base/bytes.ts'
import type { SealerApi, WorkerApi } from '../protocol/apis.ts'
import type { FetchLimitsNow } from '../protocol/types.ts'
import { terminal } from './program.ts'
import { usage } from './usage.ts'

interface LimitFlags {
  fetches?: string
  rate?: string
  ratePerPeer?: string
  json?: true
}

type LimitsOwner = Pick<SealerApi & WorkerApi, 'FetchLimits' | 'SetFetchLimits'>

/** `storage limits`: what this node's fetches keep to; with flags, changes it until the node stops. */
export function fetchLimitsCommand(owner: () => Promise<LimitsOwner>): Command {
  return new Command('limits')
    .description('how many sector files this node fetches at a time, and how fast; with flags, change that')
    .option('--fetches <n>', 'fetches at a time')
    .option('--rate <size>', 'bytes per second in all, such as 500MiB; 0 for no limit')
    .option('--rate-per-peer <size>', 'bytes per second from each other node; 0 for no limit')
    .option('--json', 'as JSON')
    .action(async (flags: LimitFlags) => {
      const client = await owner()
      const now = await client.FetchLimits()
      const wanted = changed(now, flags)
      const isChange =
        flags.fetches !== undefined || flags.rate !== undefined || flags.ratePerPeer !== undefined
      if (isChange) await client.SetFetchLimits(wanted)
      terminal.stdout.write(flags.json ? `${JSON.stringify(wanted, null, 2)}\n` : words(wanted, isChange))
    })
}

function changed(now: FetchLimitsNow, { fetches, rate, ratePerPeer }: LimitFlags): FetchLimitsNow {
  const count = fetches === undefined ? now.fetches : Number(fetches)
  if (!Number.isSafeInteger(count) || count < 1) {
    throw usage(`--fetches takes a whole number from 1, not '${fetches}'`)
  }
  return {
    fetches: count,
    bytesPerSecond: rate === undefined ? now.bytesPerSecond : parseBytes(rate),
    bytesPerSecondPerPeer: ratePerPeer === undefined ? now.bytesPerSecondPerPeer : parseBytes(ratePerPeer),
  }
}

function words(
  { fetches, bytesPerSecond, bytesPerSecondPerPeer }: FetchLimitsNow,
  isChange: boolean,
): string {
  const rate = (bytes: number) => (bytes === 0 ? 'no limit' : `${formatBytes(bytes)}/s`)
  const until = isChange ? 'in force until the node stops; config.toml has what it starts with\n' : ''
  return (
    `fetches at a time: ${fetches}\n` +
    `received in all: ${rate(bytesPerSecond)}\n` +
    `received from each node: ${rate(bytesPerSecondPerPeer)}\n${until}`
  )
}
