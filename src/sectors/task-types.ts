/**
 * The field's task types: short code, wire string and urgency (lower is more urgent, as lotus orders its queue).
 */
const TASKS = {
  WNP: { wire: 'post/v0/winningproof', order: -6 },
  WDP: { wire: 'post/v0/windowproof', order: -5 },
  FUS: { wire: 'seal/v0/finalizeunsealed', order: -4 },
  FIN: { wire: 'seal/v0/finalize', order: -3 },
  DL: { wire: 'seal/v0/download/sector', order: -2 },
  GET: { wire: 'seal/v0/fetch', order: -1 },
  FRU: { wire: 'seal/v0/finalize/replicaupdate', order: 0 },
  UNS: { wire: 'seal/v0/unseal', order: 1 },
  C1: { wire: 'seal/v0/commit/1', order: 2 },
  C2: { wire: 'seal/v0/commit/2', order: 3 },
  PC2: { wire: 'seal/v0/precommit/2', order: 4 },
  PC1: { wire: 'seal/v0/precommit/1', order: 5 },
  PR1: { wire: 'seal/v0/provereplicaupdate/1', order: 6 },
  PR2: { wire: 'seal/v0/provereplicaupdate/2', order: 7 },
  RU: { wire: 'seal/v0/replicaupdate', order: 8 },
  AP: { wire: 'seal/v0/addpiece', order: 9 },
  DC: { wire: 'seal/v0/datacid', order: 10 },
  GSK: { wire: 'seal/v0/regensectorkey', order: 11 },
} as const

export type TaskCode = keyof typeof TASKS
/** The wire string, `seal/v0/precommit/1`. */
export type TaskType = (typeof TASKS)[TaskCode]['wire']

export const TASK_CODES = Object.keys(TASKS) as TaskCode[]

/** Short code → wire string. */
export const TASK: { readonly [K in TaskCode]: (typeof TASKS)[K]['wire'] } = Object.fromEntries(
  TASK_CODES.map((code) => [code, TASKS[code].wire]),
) as { [K in TaskCode]: (typeof TASKS)[K]['wire'] }

const CODE_OF = new Map<string, TaskCode>(TASK_CODES.map((code) => [TASKS[code].wire, code]))

/** Wire string → short code; UNK for what the field's tables do not list. */
export function taskCode(task: string): TaskCode | 'UNK' {
  return CODE_OF.get(task) ?? 'UNK'
}

/** Urgency of a task; unknown ones come last, as in lotus. */
export function taskOrder(task: string): number {
  const code = CODE_OF.get(task)
  return code === undefined ? Number.MAX_SAFE_INTEGER : TASKS[code].order
}

/** Tasks that `tasks enable|disable` may switch, in the order of lotus' usage text (those we run). */
export const SWITCHABLE_TASKS: readonly TaskCode[] = ['UNS', 'C2', 'PC2', 'PC1', 'AP']

/** Tasks that a sealing worker always offers. */
export const STANDING_TASKS: readonly TaskCode[] = ['GET', 'C1', 'FIN', 'FUS']
