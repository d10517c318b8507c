/**
 * Makes everything that `npm start` and `npm test` need, and nothing again when nothing changed.
 *
 *     npm packages ─► TypeScript
 *     native addon          (beside each other)
 *     prover
 *
 * `--only=npm,addon,prover,dist` limits it. It imports only `node:`: it runs before anything is installed.
 */
import { addon } from './setup/addon.mjs'
import { dist } from './setup/dist.mjs'
import { alone } from './setup/lock.mjs'
import { npmPackages } from './setup/npm.mjs'
import { TOP } from './setup/paths.mjs'
import { prover } from './setup/prover.mjs'
import { StepFailed, say, seconds, step } from './setup/step.mjs'
import { checkBuildTools, checkNode } from './setup/tools.mjs'

const PARTS = { npm: npmPackages, addon, prover, dist }

function wantedParts() {
  const only = process.argv.find((arg) => arg.startsWith('--only='))?.slice('--only='.length)
  const names = only === undefined ? Object.keys(PARTS) : only.split(',')
  const unknown = names.filter((name) => !(name in PARTS))
  if (unknown.length === 0) return names
  throw new StepFailed(
    'arguments',
    `unknown part '${unknown.join(', ')}'; there are ${Object.keys(PARTS).join(', ')}`,
  )
}

const dueParts = () => wantedParts().filter((name) => !PARTS[name].isCurrent())

async function setUp() {
  checkNode()
  if (dueParts().length > 0) await alone(TOP, makeDueParts)
}

async function makeDueParts() {
  const began = performance.now()
  // Another set-up may just have made them.
  const due = dueParts()
  if (due.length === 0) return
  if (due.includes('addon') || due.includes('prover')) checkBuildTools()
  const make = (name) => (due.includes(name) ? step(PARTS[name].title, PARTS[name].make) : undefined)
  const chains = [
    async () => {
      await make('npm')
      await make('dist')
    },
    () => make('addon'),
    () => make('prover'),
  ]
  // All chains end before a failure is told: none of them is cut off half-way.
  const ends = await Promise.allSettled(chains.map(async (chain) => chain()))
  const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
  if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures)
  say(`everything is there (${seconds(performance.now() - began)})`)
}

function tell(failure) {
  if (failure instanceof AggregateError) {
    for (const each of failure.errors) tell(each)
    return
  }
  if (!(failure instanceof StepFailed)) throw failure
  console.error(`\nset-up failed at ${failure.step}: ${failure.message}`)
  if (failure.advice) console.error(`\n${failure.advice}`)
}

try {
  await setUp()
} catch (error) {
  tell(error)
  process.exitCode = 1
}
