import test from 'ava'
import { setCommand } from '../../src/cli/tasks-commands.ts'

/** What `set` with these arguments tells the worker. */
async function told(...flags: string[]): Promise<boolean[]> {
  const calls: boolean[] = []
  const command = setCommand(async () => ({
    SetEnabled: async (enabled) => {
      calls.push(enabled)
    },
  }))
  await command.exitOverride().parseAsync(flags, { from: 'user' })
  return calls
}

test('set --enabled lets a worker take work again, --enabled=false stops it', async (t) => {
  t.deepEqual(await told('--enabled'), [true])
  t.deepEqual(await told('--enabled=true'), [true])
  t.deepEqual(await told('--enabled=false'), [false])
})

test('set without a clear word changes nothing', async (t) => {
  for (const flags of [[], ['--enabled=maybe']]) await t.throwsAsync(told(...flags), { code: 'USAGE' })
})
