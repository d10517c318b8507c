import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { SWITCHABLE_TASKS, TASK, type TaskCode, taskCode } from '../sectors/task-types.ts'
import { workerError } from './errors.ts'

/** The scheduler asks with every decision; whether parameters have come or gone is looked up this often. */
const PARAMETERS_KNOWN_MS = 30_000

export interface TaskSwitchesOptions {
  readonly tasks: readonly TaskCode[]
  /** What this host lacks for C2 of the cluster's sectors; '' when it lacks nothing. */
  readonly commit2Lacks: () => Promise<string>
  readonly clock: Clock
  readonly log: Logger
}

/** Task types that this worker takes now. Switches are forgotten at a restart, as in lotus. */
export class TaskSwitches {
  readonly #options: TaskSwitchesOptions
  readonly #on: Set<TaskCode>
  #toldLacking = ''
  #commit2: { readonly possible: Promise<boolean>; readonly untilMs: number } | null = null

  constructor(options: TaskSwitchesOptions) {
    this.#options = options
    this.#on = new Set(options.tasks)
  }

  /** @param task wire string, `seal/v0/precommit/1` @throws WorkerError UNKNOWN_TASK */
  enable(task: string): void {
    this.#on.add(switchable(task))
  }

  /** @throws WorkerError UNKNOWN_TASK */
  disable(task: string): void {
    this.#on.delete(switchable(task))
  }

  /** As `TaskTypes` answers. C2 is offered only where it can run. */
  async types(): Promise<Record<string, Record<string, never>>> {
    const withoutCommit2 = this.#on.has('C2') && !(await this.#canCommit2())
    const offered = [...this.#on].filter((code) => code !== 'C2' || !withoutCommit2)
    return Object.fromEntries(offered.map((code) => [TASK[code], {}]))
  }

  #canCommit2(): Promise<boolean> {
    const { commit2Lacks, clock, log } = this.#options
    const now = clock.monotonicMs()
    if (this.#commit2 === null || now >= this.#commit2.untilMs) {
      const possible = commit2Lacks().then(
        (lacking) => {
          this.#tell(lacking)
          return lacking === ''
        },
        (error: unknown) => {
          // The other tasks are offered all the same.
          log.error('C2 is not offered: its parameters could not be looked up', {
            error: describeError(error),
          })
          return false
        },
      )
      this.#commit2 = { possible, untilMs: now + PARAMETERS_KNOWN_MS }
    }
    return this.#commit2.possible
  }

  /** Once for each reason: it is looked up again and again. */
  #tell(lacking: string): void {
    if (lacking !== '' && lacking !== this.#toldLacking) {
      this.#options.log.warn('C2 is not offered: its Groth16 parameters cannot be used', { lacking })
    }
    this.#toldLacking = lacking
  }
}

function switchable(task: string): TaskCode {
  const code = taskCode(task)
  if (code !== 'UNK' && SWITCHABLE_TASKS.includes(code)) return code
  const known = SWITCHABLE_TASKS.map((each) => `${each} (${TASK[each]})`).join(', ')
  throw workerError({
    code: 'UNKNOWN_TASK',
    message: `'${task}' is not a task type that can be switched; these can: ${known}`,
  })
}
