import { type ClusterToKill, eventually } from './cluster-to-kill.ts'
import { SectorJourney } from './sector-journey.ts'

/** One sector from its data to its removal, and a path that comes and goes. */
export async function wholeJourney(cluster: ClusterToKill): Promise<void> {
  const journey = new SectorJourney(cluster)
  await journey.seal()
  await journey.prove()
  await journey.unseal()
  await journey.remove()
  await journey.attachAndDetach()
  let left: string[] = []
  await eventually('no scratch is left', 10_000, async () => {
    left = await cluster.scratch()
    return left.length === 0
  }).catch((error: Error) => {
    throw new Error(`${error.message}: ${left.join(', ')}`)
  })
}

/**
 * Journeys, one after the other, as long as something else goes on.
 * @param stop ends it early, when a journey has failed
 * @throws what the journey throws, else what the killing throws
 */
export async function travelDuring<T>(
  cluster: ClusterToKill,
  killing: Promise<T>,
  stop: () => void,
): Promise<{ journeys: number; result: T }> {
  let isOver = false
  let journeys = 0
  const over = killing.finally(() => {
    isOver = true
  })
  over.catch(() => undefined)
  try {
    while (!isOver) {
      await wholeJourney(cluster)
      journeys += 1
    }
  } catch (error) {
    stop()
    await over.catch(() => undefined)
    throw error
  }
  return { journeys, result: await over }
}
