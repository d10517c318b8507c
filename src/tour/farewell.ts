import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import { spell } from './daemons.ts'
import { heading, say } from './say.ts'

/** Addresses, and a few commands to try from another terminal. */
export function tellWhatToTry(cluster: Cluster): void {
  heading('the cluster stays up until Ctrl-C')
  for (const node of [cluster.sealer, ...cluster.workers])
    say(`${node.name.padEnd(8)} ${node.url}  log ${node.log}`)
  const { sealer, workers } = cluster
  const [worker] = workers
  const commands = [
    spell(sealer, ['storage', 'list']),
    spell(sealer, ['sectors', 'pledge']),
    spell(sealer, ['sealing', 'jobs']),
    spell(sealer, ['sealing', 'decisions']),
    spell(sealer, ['sectors', 'list']),
    ...(worker === undefined ? [] : [spell(worker, ['info'])]),
  ]
  process.stdout.write(
    `\ntry, from ${join(cluster.directory, '..')}:\n${commands.map((each) => `  ${each}\n`).join('')}\n`,
  )
}

/** What a stopped tour leaves on disk. */
export async function tellWhatIsLeft(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  heading('stopped')
  say(
    `left behind in ${directory}: ${names.toSorted((a, b) => a.localeCompare(b)).join(', ')} (the next tour replaces it; rm -r removes it)`,
  )
}
