import { parseArgs } from 'node:util'
import { alarms, CallPlan, drawPlan } from './call-plan.ts'
import { ClusterToKill } from './cluster-to-kill.ts'
import { faultsProgram } from './faults-program.ts'

// System calls of a worker that stores sectors fail, one after the other.
// `npm run torture -- syscalls --points 400 --seed 7`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { points: { type: 'string', default: '400' }, seed: { type: 'string', default: '1' } },
  })
  const [points, seed] = [Number(values.points), Number(values.seed)]
  if (!(Number.isInteger(points) && points > 0) || !Number.isInteger(seed)) {
    console.error('usage: npm run torture -- syscalls [--points N] [--seed S]')
    return 2
  }
  const found = await faultsProgram()
  if ('reason' in found) {
    console.error(`SKIP: system calls of a worker: ${found.reason}`)
    return 1
  }
  const cluster = await ClusterToKill.start(['w01'])
  try {
    const calls = new CallPlan(cluster, 'w01', found.program, drawPlan(points, seed))
    await calls.run()
    const uncertain = await alarms(cluster.worker('w01'))
    for (const line of uncertain) console.log(line)
    console.log(`worker, seed ${seed}: ${await calls.line()}; ${uncertain.length} alarms`)
    if (uncertain.length > 0) return 1
  } catch (error) {
    console.log(`seed ${seed}: ${(error as Error).message}\nwhat was left is in ${cluster.directory}`)
    return 1
  } finally {
    await cluster.stop()
  }
  await cluster.remove()
  return 0
}

process.exitCode = await main()
