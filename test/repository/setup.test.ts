import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

// Plain JavaScript, without types.
// @ts-expect-error
const { alone } = await import('../../scripts/setup/lock.mjs')

const TOP = fileURLToPath(new URL('../../', import.meta.url))

test('two set-ups of one clone run one after the other', async (t) => {
  const told: string[] = []
  const setUp = (name: string) =>
    alone(`${TOP} in a test`, async () => {
      told.push(`${name} begins`)
      await new Promise((resolve) => setTimeout(resolve, 20))
      told.push(`${name} ends`)
    })
  await Promise.all([setUp('one'), setUp('other')])
  const order = told[0] === 'one begins' ? ['one', 'other'] : ['other', 'one']
  t.deepEqual(
    told,
    order.flatMap((name) => [`${name} begins`, `${name} ends`]),
  )
})

test('a home directory that cannot be written to is done without', (t) => {
  const own = ['CARGO_HOME', 'SEALYARD_CACHE', 'XDG_CACHE_HOME', 'npm_config_cache']
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.includes(name)))
  const script = `
    const { CACHE } = await import(${JSON.stringify(join(TOP, 'scripts/setup/paths.mjs'))})
    console.log(JSON.stringify([CACHE, process.env.CARGO_HOME, process.env.npm_config_cache]))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...env, HOME: '/dev/null' },
  })
  t.deepEqual(
    JSON.parse(output),
    ['sealyard', 'cargo', 'npm'].map((name) => join(TOP, 'build', 'home', name)),
  )
})
