import { Command } from 'commander'
import { SWITCHABLE_TASKS, TASK, type TaskCode, taskCode } from '../sectors/task-types.ts'
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
      for (const [task, byProof] of Object.entries(info.Resources.Resources ?? {})) {
        for (const [proof, needs] of Object.entries(byProof)) {
          for (const [field, value] of Object.entries(needs)) {
            terminal.stdout.write(`${taskCode(task)}_${proof}_${snake(field)}=${value}\n`)
          }
        }
      }
    })
}

/** MinMemory → MIN_MEMORY, MaxParallelismGPU → MAX_PARALLELISM_GPU */
function snake(field: string): string {
  return field.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()
}
