import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describeError } from '../base/errors.ts'
import { type Cluster, clearScratch, startCluster, stopCluster } from './cluster.ts'
import { tellWhatIsLeft, tellWhatToTry } from './farewell.ts'
import { hostNotes } from './host-facts.ts'
import { Interrupts } from './interrupts.ts'
import { moveCacheIfNeeded } from './parameter-cache.ts'
import { PostParameters } from './post-parameters.ts'
import { heading, say } from './say.ts'
import { sealOneSector } from './sector-journey.ts'

const USAGE = `usage: npm start [-- --once]

  --once   end with status 0 when the tour is done, instead of keeping the cluster up
`

const top = resolve(import.meta.dirname, '../..')

/** The tour: cluster up, one sector through its life, then wait for Ctrl-C (or end, with --once). */
async function tour(once: boolean): Promise<void> {
  const directory = join(top, '.tour')
  await clearScratch(directory)
  heading(`the tour works below ${directory}`)
  await mkdir(directory, { recursive: true })
  for (const note of await hostNotes(directory)) say(note)
  await moveCacheIfNeeded(process.env, join(directory, 'cache'))
  // From here on a Ctrl-C stops what was started; before, nothing was.
  const interrupts = Interrupts.listen()
  const parameters = PostParameters.begin()
  try {
    heading('three daemons of one storage provider')
    const cluster = await startCluster(directory, interrupts)
    try {
      await show(cluster, parameters, interrupts.interrupted(), once)
    } finally {
      await stopCluster(cluster, interrupts.killing)
    }
  } catch (error) {
    // The journey and the start end with their cluster; their complaints about that are no news.
    if (!interrupts.stopping.aborted) throw error
    process.exitCode = 130
  } finally {
    parameters.cancel()
    await tellWhatIsLeft(directory)
  }
}

async function show(
  cluster: Cluster,
  parameters: PostParameters,
  interrupted: Promise<'interrupted'>,
  once: boolean,
): Promise<void> {
  const told = sealOneSector(cluster, parameters)
  if ((await Promise.race([told, interrupted])) === 'interrupted') {
    told.catch(() => undefined)
    process.exitCode = 130
  } else if (!once) {
    tellWhatToTry(cluster)
    await interrupted
  }
}

const unknown = process.argv.slice(2).filter((argument) => argument !== '--once')
if (unknown.length > 0) {
  process.stderr.write(`npm start: '${unknown[0]}' is unknown\n${USAGE}`)
  process.exitCode = 2
} else {
  await tour(process.argv.includes('--once')).catch((error: unknown) => {
    process.stderr.write(`\nnpm start: ${describeError(error)}\n`)
    process.exitCode = 1
  })
}
