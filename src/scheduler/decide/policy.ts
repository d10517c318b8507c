import { describeError } from '../../base/errors.ts'
import { accept } from './accept.ts'
import { compare } from './compare.ts'
import type { TaskRequest } from './request.ts'
import type { Candidate, Snapshot, Verdict, WorkerView } from './snapshot.ts'

/** What a policy is told beside the candidates. */
export interface PolicyContext {
  readonly request: TaskRequest
  readonly snapshot: Snapshot
}

/** The two functions that an operator may replace. Both are called often and must not wait for anything. */
export interface Policy {
  /**
   * @param builtIn what the built-in rules say: an own rule may add to them or overrule them
   * @returns true, or false, or a sentence for the operator that says why not
   */
  readonly accept: (
    worker: WorkerView,
    context: PolicyContext & { readonly builtIn: Verdict },
  ) => boolean | string
  /** @returns negative when `a` comes first */
  readonly compare: (a: Candidate, b: Candidate, context: PolicyContext) => number
}

export const BUILT_IN_POLICY: Policy = {
  accept: (_worker, { builtIn }) => (builtIn.accepted ? true : builtIn.reason),
  compare,
}

/** A policy that throws or answers nonsense accepts nothing, and says so where decisions are explained. */
export function verdictOf(policy: Policy, worker: WorkerView, context: PolicyContext): Verdict {
  const builtIn = accept(context.request, worker, context.snapshot)
  try {
    const answer = policy.accept(worker, { ...context, builtIn })
    if (answer === true)
      return { accepted: true, reason: builtIn.accepted ? builtIn.reason : 'the policy allows it' }
    if (typeof answer === 'string') return { accepted: false, reason: answer }
    if (answer === false) return { accepted: false, reason: 'the policy refuses it' }
    return { accepted: false, reason: `the policy's accept answered ${String(answer)}` }
  } catch (error) {
    return { accepted: false, reason: `the policy's accept failed: ${describeError(error)}` }
  }
}

/** A comparison that throws or answers no number leaves the built-in order. */
export function orderBy(
  policy: Policy,
  candidates: readonly Candidate[],
  context: PolicyContext,
): Candidate[] {
  const builtIn = candidates.toSorted(compare)
  if (policy.compare === compare) return builtIn
  try {
    return builtIn.toSorted((a, b) => {
      const order = policy.compare(a, b, context)
      return Number.isFinite(order) ? order : 0
    })
  } catch {
    return builtIn
  }
}
