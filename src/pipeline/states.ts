import { failIfAsked } from '../base/asked-failures.ts'
import type { Clock } from '../base/clock.ts'
import { describeError, isSealyardError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { sectorName } from '../sectors/sector-id.ts'
import { addPiece, packing } from './adding-steps.ts'
import { committing, commitWait, submitCommit } from './commit-steps.ts'
import { failedChange, isWorkerRestart, MOST_AT_ONCE, restartedChange, retryState } from './failures.ts'
import { finalizeSector, removing } from './finish-steps.ts'
import {
  getTicket,
  preCommit1,
  preCommit2,
  preCommitting,
  preCommitWait,
  waitSeed,
} from './precommit-steps.ts'
import type { SectorRecord } from './sector-record.ts'
import { type FailedState, isAtRest, isFailed, type WorkingState } from './sector-state.ts'
import type { Step, StepResult, StepTools } from './step.ts'
import { wantedWork } from './wanted-work.ts'

const STEPS: Readonly<Record<WorkingState, Step>> = {
  AddPiece: addPiece,
  Packing: packing,
  GetTicket: getTicket,
  PreCommit1: preCommit1,
  PreCommit2: preCommit2,
  PreCommitting: preCommitting,
  PreCommitWait: preCommitWait,
  WaitSeed: waitSeed,
  Committing: committing,
  SubmitCommit: submitCommit,
  CommitWait: commitWait,
  FinalizeSector: finalizeSector,
  Removing: removing,
}

/**
 * PC2's failures lead back to PC1, C1's to both: were they forgiven by a PC1 or PC2 that succeeds, the sector would go
 * round for ever.
 */
function isOnTheWayBack(record: SectorRecord, state: WorkingState): boolean {
  return state === 'GetTicket' || state === 'PreCommit1' || (state === 'PreCommit2' && record.commR !== null)
}

export interface SectorLifeOptions {
  readonly tools: StepTools
  readonly clock: Clock
  readonly log: Logger
  /** How long a failed state waits before it is tried again. */
  readonly minRetryMs: number
}

/**
 * One sector from the state it is in until it rests.
 *
 *     state            does                             then                      on failure
 *     ─────            ────                             ────                      ──────────
 *     AddPiece         AP of the next data piece        AddPiece, Packing         AddPieceFailed
 *     Packing          AP of the next zero piece        Packing, GetTicket        PackingFailed
 *     GetTicket        randomness for PC1               PreCommit1                SealPreCommit1Failed
 *     PreCommit1       PC1                              PreCommit2                SealPreCommit1Failed ¹
 *     PreCommit2       PC2                              PreCommitting ⁴           SealPreCommit2Failed
 *     PreCommitting    submits the pre-commit           PreCommitWait             PreCommitFailed
 *     PreCommitWait    waits until it has landed        WaitSeed                  PreCommitFailed
 *     WaitSeed         waits for the seed               Committing                PreCommitFailed
 *     Committing       C1, kept as a file               Committing                ComputeProofFailed
 *                      C2 from that file                SubmitCommit              ComputeProofFailed
 *                      nobody can run C2: deferred      FinalizeSector ²          –
 *                      executor 'shape': no C1, no C2   FinalizeSector            –
 *     SubmitCommit     submits the proof                CommitWait                CommitFailed
 *     CommitWait       waits until it has landed        FinalizeSector ²          CommitFailed
 *     FinalizeSector   FUS, FIN, GET                    Proving, SubmitCommit ³   FinalizeFailed
 *     Proving          rests                            –
 *     Removing         removes all files                Removed                   RemoveFailed
 *     Removed          rests for good                   –
 *
 * A failed state waits MinRetryTime and goes back to the state that failed. What time mends (`temporary`) is tried
 * without limit, and so is FinalizeSector; another step that fails MOST_TRIES times in a row by itself, or any step
 * that fails once with `abort`, pauses its sector. A step whose
 * worker was restarted (101) is made again without the wait, MOST_AT_ONCE times in a row. And
 * ¹ with the fourth failure of PC1 itself a sector without data goes to Removing, and
 *   SealPreCommit2Failed goes back to PreCommit1 with the fourth failure of PC2 itself, or with the first one that
 *   says so (NOT_RESTARTABLE, CACHE_UNUSABLE); a C1 that says so leads there too, instead of to ComputeProofFailed.
 * ² Proving, when the sector has been finalized before.
 * ³ when a proof was imported meanwhile.
 * ⁴ of a sector that comes by again: what follows the last thing that the chain was told.
 *
 * From outside: Commit2 takes a sector from Proving to Committing, as DeferredCommit2 does by itself; ImportProof to SubmitCommit,
 * SectorRemove from any state to Removing, SectorRetry from a failed one at once to the state that failed.
 * A paused sector (SectorPause, or too many failures) keeps its state, and nothing is done until SectorResume.
 */
export class SectorLife {
  readonly #number: number
  readonly #options: SectorLifeOptions
  /** How often in a row its step was made again at once. */
  #atOnce = 0

  constructor(number: number, options: SectorLifeOptions) {
    this.#number = number
    this.#options = options
  }

  /** Comes back when the sector rests, or when the signal stops it; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if ((await this.#advance(signal)) === 'rests') return
      } catch (error) {
        if (signal.aborted) return
        // The record itself could not be read or written (a full disk): nothing is known to have changed.
        this.#options.log.error('the record of a sector cannot be read or written; it is tried again', {
          sector: this.#number,
          error: describeError(error),
        })
        await this.#options.clock.sleep(this.#options.minRetryMs, signal).catch(() => undefined)
      }
    }
  }

  async #advance(signal: AbortSignal): Promise<'goes on' | 'rests'> {
    const record = await this.#options.tools.store.get(this.#number)
    const { state } = record
    await this.#options.tools.tasks.settle(record.id, wantedWork(record))
    if (isAtRest(state) || record.paused !== null) return 'rests'
    if (isFailed(state)) return this.#retry({ ...record, state }, signal)
    return this.#work(record, state, signal)
  }

  async #work(record: SectorRecord, state: WorkingState, signal: AbortSignal): Promise<'goes on' | 'rests'> {
    const { tools, log } = this.#options
    let result: StepResult
    try {
      failIfAsked(state, this.#number)
      result = await STEPS[state](record, tools, signal)
    } catch (error) {
      // Whoever stopped it says what the sector does next; a scheduler that stops takes nothing back.
      if (signal.aborted || isSealyardError(error, 'STOPPED')) return 'rests'
      await this.#fail(record, state, error)
      return 'goes on'
    }
    // Written also when it was stopped meanwhile: a result that is there need not be made again.
    const after = await tools.store.change(this.#number, (now) => {
      if (now.state !== state) return null
      const change = typeof result === 'function' ? result(now) : result
      const isForgiven = now.tries > 0 && !isOnTheWayBack(now, state)
      return isForgiven ? { ...change, set: { ...change.set, tries: 0 } } : change
    })
    this.#atOnce = 0
    log.debug('a step is done', { sector: sectorName(record.id), from: state, to: after.state })
    return 'goes on'
  }

  async #fail(record: SectorRecord, state: WorkingState, error: unknown): Promise<void> {
    const { tools, log } = this.#options
    const atOnce = isWorkerRestart(error) && this.#atOnce < MOST_AT_ONCE
    this.#atOnce = atOnce ? this.#atOnce + 1 : 0
    const changeOf = atOnce ? restartedChange : failedChange
    const after = await tools.store.change(this.#number, (now) =>
      now.state === state ? changeOf(now, state, error) : null,
    )
    log.warn('a step of a sector failed', {
      sector: sectorName(record.id),
      from: state,
      to: after.state,
      error: describeError(error),
    })
  }

  /** Counted from the failure, so that a restart does not prolong it; a clock that was set back neither. */
  async #retry(record: SectorRecord & { state: FailedState }, signal: AbortSignal): Promise<'goes on'> {
    const { clock, minRetryMs, tools } = this.#options
    const waited = Math.max(clock.now() - record.updatedAt, 0)
    await clock.sleep(Math.max(minRetryMs - waited, 0), signal)
    await tools.store.change(this.#number, (now) =>
      now.state === record.state
        ? {
            to: retryState({ ...now, state: record.state }),
            event: { kind: 'state', message: 'tried again' },
          }
        : null,
    )
    return 'goes on'
  }
}
