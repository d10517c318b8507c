import { appendFileSync } from 'node:fs'

// A daemon may be killed between any two of its durable writes. They stand here once, each with what is true when it
// is done; the restart matrix (test/faults) kills a daemon before and after every one that a sector's life passes.

/** What a restart finds done, by the name of the write. `move.…` are the steps of crates/mover. */
export const DURABLE_STEPS = {
  'worker.call-recorded': 'the worker has taken a call and will answer for it',
  'worker.result-stored': "a task's result survives",
  'worker.call-removed': 'the sealer has accepted a result, or does not know its call',
  'worker.calls-answered': 'calls that a stop cut off will be answered "worker restarted"',
  'task.files-synced': 'what a task has made is on the disk (one step per task)',
  'cache.recorded': 'what a cache was made from, and how far it is (one step per phase)',
  'cache.record-removed': 'nothing is known of a cache',
  'grants.remembered': 'the node knows that it asks for space',
  'grants.forgotten': 'the space was given back',
  'file.removed': 'a sector file is gone from a path, perhaps not from the index',
  'paths.id-kept': 'a directory says under which ID it was attached',
  'paths.url-kept': 'a node says under which URL it served its paths',
  'paths.listed': 'storage.json lists other paths than before',
  'space.reserved': 'the account has promised bytes',
  'space.released': 'the promise is taken back',
  'space.landed': 'the account knows what has been written',
  'index.path-saved': 'the index knows a path',
  'index.path-removed': 'the index has forgotten a path and what it holds',
  'index.declared': 'the index knows that a path holds a file',
  'index.dropped': 'the index knows that a path holds it no more',
  'work.started': 'a worker is about to be asked (one step per method, as the next two)',
  'work.running': 'a worker has taken the work: the call is found again',
  'work.done': 'the result is accepted',
  'work.removed': 'the result has done its duty',
  'work.forgotten': 'nothing is known of the work of a removed sector',
  'staging.kept': "a piece's data waits on the sealer for its sector",
  'staging.dropped': 'the data is in the sector, the staged copy gone',
  'commit1.kept': "C1's output is a file of the sealer",
  'commit1.removed': 'it is gone',
  'sector.created': 'a sector has its number',
  'sector.saved': 'its record says another state, or more (one step per state)',
  'move.intent-written': 'the journal says what is about to be moved',
  'move.temp-made': 'the private name exists',
  'move.file-synced': 'the content of one file is on the disk',
  'move.temp-durable': 'all of it is, behind the private name',
  'move.named': 'the final name exists',
  'move.name-durable': 'the final name survives',
  'move.target-recorded': 'the journal says so',
  'move.source-set-aside': 'a source directory has its private name',
  'move.source-unlinked': 'the source is gone',
  'move.source-recorded': 'the journal says so',
  'move.temp-removed': 'a half-made copy is gone',
  'move.done-recorded': 'the journal has forgotten the move',
} as const satisfies Record<string, string>

export type DurableStep = keyof typeof DURABLE_STEPS
type Moment = 'before' | 'after'

interface Watch {
  /** `after:cache.recorded/pc1`, or empty. */
  readonly killAt: string
  /** How many passages of that point are left. */
  passages: number
  /** A file that lists what was passed, or empty. */
  readonly log: string
}

/**
 * What a test has asked of this process, read once; null in every other process.
 *
 *     SEALYARD_KILL_AT=<before|after>:<step>[/<which>][:n]   it kills itself at the n-th passage, as kill -9 does
 *     SEALYARD_STEPS_LOG=<file>                              it appends each passage to that file
 */
const watch = watchFrom(process.env)

function watchFrom(env: NodeJS.ProcessEnv): Watch | null {
  const { SEALYARD_KILL_AT: asked = '', SEALYARD_STEPS_LOG: log = '' } = env
  if (asked === '' && log === '') return null
  const [moment = '', step = '', passages = '1'] = asked.split(':')
  return { killAt: asked === '' ? '' : `${moment}:${step}`, passages: Number(passages), log }
}

/**
 * Does one durable write of the table.
 * @param which tells apart the kinds of a step: a phase, a state
 */
export async function durably<T>(step: DurableStep, write: () => Promise<T>, which = ''): Promise<T> {
  if (watch === null) return write()
  passing('before', step, which)
  const result = await write()
  passing('after', step, which)
  return result
}

/** Where a write cannot stand in one function: inside its transaction, and when that is committed. */
export function passing(moment: Moment, step: DurableStep, which = ''): void {
  if (watch === null) return
  const name = which === '' ? step : `${step}/${which}`
  if (watch.log !== '') appendFileSync(watch.log, `${moment}:${name}\n`)
  if (watch.killAt !== `${moment}:${name}`) return
  watch.passages -= 1
  if (watch.passages === 0) process.kill(process.pid, 'SIGKILL')
}
