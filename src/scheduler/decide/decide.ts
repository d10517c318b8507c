import type { Decision } from '../../protocol/types.ts'
import { type BytesToMove, bytesToMove, secondsToMove } from './cost.ts'
import { secondsUntilFree } from './free-time.ts'
import { acceptableLine, assignedLine, queuedLine, tryLine, windowsLine } from './log-lines.ts'
import { BUILT_IN_POLICY, orderBy, type Policy, verdictOf } from './policy.ts'
import type { TaskRequest } from './request.ts'
import { Round } from './round.ts'
import type { Candidate, Costs, Snapshot, Verdict, WorkerView } from './snapshot.ts'

/** One request put in one open window. */
export interface Assignment {
  readonly request: TaskRequest
  readonly window: number
}

export interface Decided {
  readonly assignments: readonly Assignment[]
  /** Of what was assigned, and of the first EXPLAINED that wait: with every window. */
  readonly decisions: readonly Decision[]
  /** The SCHED lines of this round, in order. */
  readonly lines: readonly string[]
}

/** Requests that wait and are explained in a round, from the front of the queue: a log keeps some hundreds. */
export const EXPLAINED = 128

/** One worker, looked at for one request. */
interface Looked {
  readonly worker: WorkerView
  readonly verdict: Verdict
  readonly bytes: BytesToMove
  readonly costs: Costs
}

/**
 * One round of scheduling: each queued request, in order, goes to the first window by the policy's order that
 * still has room for it. Pure: what it says depends on the snapshot and the policy alone.
 */
export function decide(snapshot: Snapshot, policy: Policy): Decided {
  const round = new Round(snapshot)
  const assignments: Assignment[] = []
  const decisions: Decision[] = []
  const acceptable: number[][] = []
  const tries: string[] = []
  const waiting = new WaitingKinds(round)
  const opened = windowsLine(round.windows.map((window) => window.allocated))
  snapshot.queue.forEach((request, position) => {
    if (waiting.isHopeless(request)) {
      acceptable.push([])
      return
    }
    const looked = [...snapshot.workers.values()].map((worker) =>
      look(request, worker, snapshot, policy, round),
    )
    const ordered = orderBy(policy, candidatesOf(request, looked, round), { request, snapshot })
    acceptable.push(ordered.map((candidate) => candidate.window))
    const tried = (window: number) => tries.push(tryLine(position, request, window))
    const choice = choose({ request, ordered, looked, snapshot, policy, round, tried })
    if (choice.window !== null || waiting.count < EXPLAINED) {
      decisions.push(explain(request, looked, ordered, choice, snapshot, round))
    }
    if (choice.window === null) {
      waiting.note(request)
      return
    }
    tries.push(assignedLine(position, request, choice.window))
    round.put(choice.window, request)
    assignments.push({ request, window: choice.window })
  })
  const lines = [
    queuedLine(snapshot.queue.length, round.windows.length),
    opened,
    acceptableLine(acceptable),
    ...tries,
  ]
  return { assignments, decisions, lines }
}

/**
 * What waits in this round, so that ten thousand requests of one kind cost as much as some: once no open window has
 * room for one of them (windows only fill in a round), the others of its kind need not be looked at.
 */
class WaitingKinds {
  count = 0
  readonly #round: Round
  readonly #full = new Set<string>()

  constructor(round: Round) {
    this.#round = round
  }

  /** Those that are explained are looked at in any case. */
  isHopeless(request: TaskRequest): boolean {
    return this.count >= EXPLAINED && this.#full.has(kindOf(request))
  }

  note(request: TaskRequest): void {
    this.count += 1
    const kind = kindOf(request)
    if (!this.#full.has(kind) && !this.#round.hasRoom(request)) this.#full.add(kind)
  }
}

/** What a window's room depends on. */
function kindOf(request: TaskRequest): string {
  return `${request.task} ${request.sector.ProofType}`
}

function look(
  request: TaskRequest,
  worker: WorkerView,
  snapshot: Snapshot,
  policy: Policy,
  round: Round,
): Looked {
  const bytes = bytesToMove(request, worker, snapshot)
  const free = secondsUntilFree(request, worker, round.given(worker), snapshot.experience)
  return {
    worker,
    verdict: verdictOf(policy, worker, { request, snapshot }),
    bytes,
    costs: { networkBytes: bytes.networkBytes, copiedBytes: bytes.copiedBytes, secondsUntilFree: free },
  }
}

function candidatesOf(request: TaskRequest, looked: readonly Looked[], round: Round): Candidate[] {
  return looked
    .filter(({ verdict }) => verdict.accepted)
    .flatMap(({ worker, costs, bytes }) => {
      const thisRound = round.given(worker).filter((each) => each.task === request.task).length
      const given = (worker.given.get(request.task) ?? 0) + thisRound
      const utilization = round.utilization(worker)
      return round.windowsOf(worker).map((window) => ({
        window,
        worker,
        costs,
        fetchedFiles: bytes.fetchedFiles,
        utilization,
        given,
      }))
    })
}

interface Choice {
  readonly window: number | null
  /** Why an acceptable request was left in the queue. */
  readonly wait: string | null
}

interface Choosing {
  readonly request: TaskRequest
  /** In order of preference. */
  readonly ordered: readonly Candidate[]
  readonly looked: readonly Looked[]
  readonly snapshot: Snapshot
  readonly policy: Policy
  readonly round: Round
  tried(window: number): void
}

function choose(choosing: Choosing): Choice {
  const { ordered, request, round } = choosing
  for (const candidate of ordered) {
    choosing.tried(candidate.window)
    if (!round.fits(candidate.window, request)) continue
    const wait = worthWaiting(candidate, choosing)
    return wait === null ? { window: candidate.window, wait } : { window: null, wait }
  }
  return { window: null, wait: ordered.length === 0 ? null : 'the open windows are full' }
}

/**
 * A short wait for who needs fewer bytes beats a long copy: whoever would come first, had it room in a window now.
 * What was waited already counts, so that no request waits longer than the copy would take. An own compare may
 * want something else than few bytes: then nothing is waited for.
 */
function worthWaiting(candidate: Candidate, choosing: Choosing): string | null {
  const { looked, policy, request, snapshot } = choosing
  if (policy.compare !== BUILT_IN_POLICY.compare) return null
  const waited = (snapshot.monotonicMs - request.queuedAtMs) / 1000
  const moving = secondsToMove(candidate.costs, snapshot)
  const better = looked
    .filter(({ verdict, bytes }) => verdict.accepted && movesLess(bytes, candidate.costs))
    .map(({ worker, costs }) => ({
      worker,
      freeIn: costs.secondsUntilFree,
      total: waited + costs.secondsUntilFree + secondsToMove(costs, snapshot),
    }))
    .filter(({ total }) => total < moving)
    .toSorted((a, b) => a.total - b.total)[0]
  if (better === undefined) return null
  const { worker, freeIn } = better
  return `waits for ${worker.hostname}: free in ${freeIn.toFixed(1)} s, moving the files elsewhere takes ${moving.toFixed(1)} s`
}

function movesLess(a: Omit<Costs, 'secondsUntilFree'>, b: Omit<Costs, 'secondsUntilFree'>): boolean {
  return (a.networkBytes - b.networkBytes || a.copiedBytes - b.copiedBytes) < 0
}

/** Every window, in order of preference, then those that were refused; workers without a window have number −1. */
function explain(
  request: TaskRequest,
  looked: readonly Looked[],
  ordered: readonly Candidate[],
  choice: Choice,
  snapshot: Snapshot,
  round: Round,
): Decision {
  const rank = new Map(ordered.map((candidate, position) => [candidate.window, position]))
  const windows = looked.flatMap((each) => {
    const numbers = round.windowsOf(each.worker)
    return (numbers.length === 0 ? [-1] : numbers).map((window) => explained(each, window, choice))
  })
  windows.sort((a, b) => (rank.get(a.window) ?? rank.size) - (rank.get(b.window) ?? rank.size))
  return {
    at: new Date(snapshot.nowMs).toISOString(),
    request: request.id,
    sector: { ...request.sector.ID },
    task: request.task,
    windows,
    chosen: choice.window,
  }
}

function explained(looked: Looked, window: number, choice: Choice): Decision['windows'][number] {
  const { worker, verdict, costs } = looked
  const accepted = verdict.accepted && window !== -1
  const queued = `its windows are full: ${worker.waiting.length} tasks wait there`
  const words = verdict.accepted ? (window === -1 ? queued : (choice.wait ?? verdict.reason)) : verdict.reason
  return {
    window,
    worker: worker.id,
    hostname: worker.hostname,
    accepted,
    reason: window !== -1 && window === choice.window ? 'chosen' : words,
    ...costs,
  }
}
