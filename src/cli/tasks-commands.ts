import { Command } from 'commander'
import type { WorkerApi } from '../protocol/apis.ts'
import { asOverrides } from '../scheduler/resources.ts'
import { SWITCHABLE_TASKS, TASK, type TaskCode } from '../sectors/task-types.ts'
import { workerClient } from './nodes.ts'
import { terminal } from './program.ts'
import { usage } from './usage.ts'

const CODES = SWITCHABLE_TASKS.join(', ')

function tasksOf(code: string | undefined, all: true | undefined): TaskCode[] {
  if (all === true && code === undefined) return [...SWITCHABLE_TASKS]
  const found = SWITCHABLE_TASKS.find((each) => each === code?.toUpperCase())
  if (found !== undefined && all !== true) return [found]
  throw usage(`name one of ${CODES}, or --all; GET, FIN, FUS and C1 cannot be switched`)
}

/** `tasks enable|disable`, on a running worker; lost at its restart, as in lotus. */
export function tasksCommands(repo: () => string | undefined): Command {
  const tasks = new Command('tasks').description(
    'switch task types while the worker runs (lost at its restart)',
  )
  for (const verb of ['enable', 'disable'] as const) {
    tasks
      .command(verb)
      .description(`${verb} a task type`)
      .argument('[code]', CODES)
      .option('--all', 'all of them')
      .action(async (code: string | undefined, flags: { all?: true }) => {
        const chosen = tasksOf(code, flags.all)
        const client = await workerClient(repo(), terminal.env)
        for (const each of chosen) {
          await (verb === 'enable' ? client.TaskEnable(TASK[each]) : client.TaskDisable(TASK[each]))
        }
      })
  }
  return tasks
}

/** `resources`: what each task is taken to need, in the form its overrides are written. */
export function resourcesCommand(repo: () => string | undefined): Command {
  return new Command('resources')
    .description('print what each task is taken to need, as KEY=VALUE overrides')
    .action(async () => {
      const info = await (await workerClient(repo(), terminal.env)).Info()
      for (const [name, value] of asOverrides(info.Resources.Resources ?? {})) {
        terminal.stdout.write(`${name}=${value}\n`)
      }
    })
}

/**
 * `set --enabled`, as lotus' worker has it: a worker that switched itself off, for its disk or its prover failed,
 * takes work again without a restart, which would end what still runs.
 */
export function setCommand(worker: () => Promise<Pick<WorkerApi, 'SetEnabled'>>): Command {
  return new Command('set')
    .description('switch the whole worker on or off while it runs; what runs goes on (lost at its restart)')
    .option('--enabled [yes]', 'whether it takes work', undefined)
    .action(async (flags: { enabled?: string | true }) => {
      const enabled = yes(flags.enabled)
      await (await worker()).SetEnabled(enabled)
    })
}

function yes(text: string | true | undefined): boolean {
  if (text === true || text === 'true') return true
  if (text === 'false') return false
  throw usage('write --enabled, --enabled=true or --enabled=false')
}
