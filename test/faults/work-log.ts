import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { type MortalNode, STARTED } from './cluster-to-kill.ts'

const line = z.object({
  ts: z.string(),
  msg: z.string(),
  sector: z.string().optional(),
  task: z.string().optional(),
})

interface Run {
  readonly what: string
  readonly daemon: string
  readonly from: string
  to: string
}

/** Tasks of one sector that ran at the same time on two daemons, or twice on one, in words; from the daemons' logs. */
export async function ranTwiceAtOnce(nodes: readonly MortalNode[]): Promise<string[]> {
  const runs = (await Promise.all(nodes.map(runsOf))).flat().sort((a, b) => a.from.localeCompare(b.from))
  return runs.flatMap((run, index) =>
    runs
      .slice(index + 1)
      .filter((later) => later.what === run.what && later.from < run.to)
      .map(
        (later) => `${run.what} on ${run.daemon} until ${run.to}, and on ${later.daemon} from ${later.from}`,
      ),
  )
}

/** A daemon that dies takes its tasks along: they end with the last line that it wrote. */
async function runsOf({ node, log }: MortalNode): Promise<Run[]> {
  const runs: Run[] = []
  const open = new Map<string, Run>()
  let last = ''
  for (const text of (await readFile(log, 'utf8')).split('\n')) {
    const parsed = line.safeParse(parse(text))
    if (!parsed.success) continue
    const { ts, msg, sector = '', task = '' } = parsed.data
    if (msg === STARTED) {
      for (const run of open.values()) run.to = last
      open.clear()
    }
    last = ts
    const what = `${task} of ${sector}`
    if (msg === 'task started') {
      const run = { what, daemon: node.name, from: ts, to: '9' }
      runs.push(run)
      open.set(what, run)
    } else if (msg === 'task done' || msg === 'task failed') {
      const run = open.get(what)
      if (run !== undefined) run.to = ts
      open.delete(what)
    }
  }
  return runs
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
