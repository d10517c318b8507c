import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describeError } from '../base/errors.ts'
import { type Cluster, clearScratch, startCluster, stopCluster } from './cluster.ts'
import { tellWhatIsLeft, tellWhatToTry } from './farewell.ts'
import { hostNotes } from './host-facts.ts'
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
  const parameters = PostParameters.begin()
  heading('three daemons of one storage provider')
  const cluster = await startCluster(directory)
  const stop = stopOnce(cluster)
  const interrupted = untilInterrupted()
  try {
    const told = sealOneSector(cluster, parameters)
    if ((await Promise.race([told, interrupted])) === 'interrupted') {
      // The journey ends with its cluster; its complaint about that is no news.
      told.catch(() => undefined)
      process.exitCode = 130
    } else if (!once) {
      tellWhatToTry(cluster)
      await interrupted
    }
  } finally {
    parameters.cancel()
    await stop()
    await tellWhatIsLeft(directory)
  }
}

function stopOnce(cluster: Cluster): () => Promise<void> {
  let stopping: Promise<void> | null = null
  return () => {
    stopping ??= stopCluster(cluster)
    return stopping
  }
}

function untilInterrupted(): Promise<'interrupted'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('interrupted'))
  })
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
